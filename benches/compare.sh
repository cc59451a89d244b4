#!/usr/bin/env bash
# Holds pfscope against tcpdump, tshark, zcat and a loop through libpcap that does nothing: the same
# files, in turn, in one run, all output to /dev/null; medians of five rounds after a warm-up.
#
#   benches/compare.sh            builds, makes its input in a folder of its own under TMPDIR (half
#                                 a gigabyte), prints the table; exit status 1 if a line is not met
#   RECORDS=1000000 ROUNDS=5      how much, how often
#   MANY=50000000                 how many packets the last line's longest log has; it comes through
#                                 a pipe, and is never a file
#   PFSCOPE=FILE                  holds this program against the others, and builds none
#
# Times are wall time, so that other work on the machine shows: let there be none. What other machines
# of the same host take shows as stolen time: a run that lost more than a fiftieth of the processors to
# them does not count and is made again, five times at most. Beside that of tcpdump processor time is
# printed, where it shows less: a program of two threads waits for the processor that comes last. TZ is
# not set, as in a login shell: the C library then looks at /etc/localtime for each of tcpdump's
# packets. What tcpdump takes with TZ=UTC is printed beside.
set -euo pipefail
export LC_ALL=C
unset TZ
cd "$(dirname "$0")/.."

processors=$(nproc)
records=${RECORDS:-1000000} rounds=${ROUNDS:-5} many=${MANY:-}
# tshark is slow, and its time is one per packet once it runs: it gets a part of the log.
few=$((records / 10))

say() { printf 'compare: %s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

[ -n "${PFSCOPE:-}" ] || cargo build --release --locked --quiet
cargo build --release --locked --quiet --example input --example nothing --example first
pfscope=${PFSCOPE:-target/release/pfscope}
input=target/release/examples/input nothing=target/release/examples/nothing
first=target/release/examples/first

folder=$(mktemp -d "${TMPDIR:-/tmp}/pfscope-compare.XXXXXX")
trap 'rm -rf "$folder"' EXIT
say "$processors processors, load $(cut -d ' ' -f 1 /proc/loadavg 2>/dev/null || uptime), input in $folder"
"$input" log "$records" >"$folder/log"
"$input" log "$few" >"$folder/few"
"$input" log 59 >"$folder/small"
"$input" log 0 >"$folder/none"
"$input" updates "$records" >"$folder/updates"
gzip -k "$folder/log"

# stolen: ticks of all processors that the host has given to others (proc(5), stat).
tick=$((1000000 / $(getconf CLK_TCK)))
stolen() { awk '/^cpu / { print $9 }' /proc/stat 2>/dev/null || echo 0; }

# once NAME COMMAND...: runs it, and notes how many microseconds it took, and how many of processors.
runs=0 again=0 disturbed=0
once() {
    local name=$1 start before us lost try TIMEFORMAT='%3U %3S'
    shift
    for try in 1 2 3 4 5 6; do
        before=$(stolen) start=${EPOCHREALTIME/./}
        { time "$@" >/dev/null 2>>"$folder/errors"; } 2>"$folder/processor" ||
            { say "$* failed:"; cat "$folder/errors" >&2; exit 2; }
        us=$((${EPOCHREALTIME/./} - start)) lost=$((($(stolen) - before) * tick))
        # What is counted in ticks may be one of before.
        [ $((lost - tick)) -gt $((us * processors / 50)) ] || break
        [ "$try" = 6 ] && disturbed=$((disturbed + 1)) || again=$((again + 1))
    done
    runs=$((runs + 1))
    echo "$us" >>"$folder/$name.us"
    awk '{ printf "%d\n", ($1 + $2) * 1e6 }' "$folder/processor" >>"$folder/$name.cpu.us"
}

# median NAME: of its rounds, without the first.
median() { tail -n +2 "$folder/$1.us" | sort -n | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }

log=$folder/log few_log=$folder/few
filter='action block and dst port 22'
for round in $(seq 0 "$rounds"); do
    once nothing "$nothing" "$log"
    once tcpdump tcpdump -n -e -r "$log"
    TZ=UTC once tcpdump_utc tcpdump -n -e -r "$log"
    once text "$pfscope" -n -e -r "$log"
    once json "$pfscope" --format json -r "$log"
    once ecs "$pfscope" --format ecs -r "$log"
    once nothing "$nothing" "$log"
    once summary "$pfscope" summary "$log"
    once nothing "$nothing" "$log"
    once filter "$pfscope" -n -e -r "$log" "$filter"
    once states "$pfscope" states --health -r "$folder/updates"
    once zcat zcat "$log.gz"
    once gz "$pfscope" summary "$log.gz"
    "$first" 21 "$pfscope" -n -e -r "$folder/small" >>"$folder/start.us"
    "$first" 21 tcpdump -n -e -r "$folder/small" >>"$folder/start_tcpdump.us"
    once tenth "$pfscope" summary "$few_log"
    once empty "$pfscope" summary "$folder/none"
    if has tshark; then
        once tshark tshark -n -T ek -r "$few_log"
        once tshark_none tshark -n -T ek -r "$folder/none"
    fi
    say "round $round of $rounds"
done

# line WORK BUDGET LIMIT MEASURED UNIT: met if measured is not more than the limit.
missed=0
line() {
    local met=yes
    awk "BEGIN { exit !($4 <= $3) }" || { met=no missed=1; }
    printf '| %s | %s | %.3g%s | %s |\n' "$1" "$2" "$4" "$5" "$met"
}
ratio() { awk "BEGIN { print ($1) / ($2) }"; }

tcpdump=$(median tcpdump) nothing_us=$(median nothing)
echo
echo "$records pflog records, $(stat -c %s "$log" 2>/dev/null || wc -c <"$log") bytes; tcpdump $(ratio "$tcpdump" 1e6) s (with TZ=UTC $(ratio "$(median tcpdump_utc)" 1e6) s, its first line of a small file $(ratio "$(median start_tcpdump)" 1000) ms), libpcap's loop $(ratio "$nothing_us" 1e6) s, zcat $(ratio "$(median zcat)" 1e6) s"
echo "$runs runs; the host's other machines disturbed $again tries of them, which do not count, and $disturbed at the last try too, which do"
echo
echo '| work | at most | measured | met |'
echo '|---|---|---|---|'
line '`pfscope -n -e -r F`' '1/20 of `tcpdump -n -e -r F`' 1/20 "$(ratio "$(median text)" "$tcpdump")" ''
line '`--format json`' '1/16 of tcpdump' 1/16 "$(ratio "$(median json)" "$tcpdump")" ''
if has tshark; then
    # Without its start, which a longer file would hide.
    tshark="(($(median tshark) - $(median tshark_none)) * $records / $few)"
    line '`--format json`' '1/300 of `tshark -T ek`' 1/300 "$(ratio "$(median json)" "$tshark")" ''
else
    echo '| `--format json` | 1/300 of `tshark -T ek` | tshark is not there | |'
fi
line '`--format ecs`' '1/12 of tcpdump' 1/12 "$(ratio "$(median ecs)" "$tcpdump")" ''
line '`summary`' '1.2 x the loop' 1.2 "$(ratio "$(median summary)" "$nothing_us")" ''
line "\`'$filter'\`" '1.2 x the loop' 1.2 "$(ratio "$(median filter)" "$nothing_us")" ''
# The states that the file tells of first are messages too.
line '`states --health`' '0.2 us a message' 0.2 "$(ratio "$(median states)" "$records + 100000")" ' us'
line '`summary F.gz`' '1 x `zcat F.gz`' 1 "$(ratio "$(median gz)" "$(median zcat)")" ''
line 'first line of 59 records, from the start' '5 ms' 5 "$(ratio "$(median start)" 1000)" ' ms'
line '`summary`: 10 x the packets' '10 x the time, +-5 %' 10.5 \
    "$(ratio "$(median summary) - $(median empty)" "$(median tenth) - $(median empty)")" ''

# Processor time has no budget.
for work in text json ecs; do
    echo "| \`$work\`: processor time | of tcpdump's | $(ratio "$(median $work.cpu)" "$(median tcpdump.cpu)") | |"
done

# peak COMMAND...: KiB resident at most.
peak() { /usr/bin/time -f %M -o "$folder/peak" "$@" >/dev/null && tail -n 1 "$folder/peak"; }
if [ -x /usr/bin/time ]; then
    for work in '-n -e -r' '--format json -r' '--format ecs -r' summary; do
        # shellcheck disable=SC2086 # words
        line "\`$work F\`: resident" '48 MiB' 48 "$(ratio "$(peak "$pfscope" $work "$log")" 1024)" ' MiB'
    done
    line '`states --health`: resident' 'its states' 1e9 "$(ratio "$(peak "$pfscope" states --health -r "$folder/updates")" 1024)" ' MiB'
    if [ -n "$many" ]; then
        resident=$("$input" log "$many" | peak "$pfscope" summary -)
        line "\`summary -\` of $many packets: resident" '48 MiB' 48 "$(ratio "$resident" 1024)" ' MiB'
        for _ in 0 1 2 3; do
            once piped sh -c "'$input' log $records | '$pfscope' summary -"
            once much sh -c "'$input' log $many | '$pfscope' summary -"
        done
        line "\`summary -\` of $many packets: time a packet" '1.05 of that of 1/n' 1.05 \
            "$(ratio "$(median much) * $records" "$(median piped) * $many")" ''
    fi
else
    say "resident memory is not measured: GNU time is not there"
fi
exit $missed
