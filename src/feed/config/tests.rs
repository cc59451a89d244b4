use super::*;

const SMALL: &str = r#"
state_dir = "/var/db/pfscope"
heartbeat = "30s"

[[source]]
file = "/var/log/pflog"
follow = true

[[output.elasticsearch]]
name = "siem"
url = "https://es:9200"
index = "logs-pf.log-default"
login = { user = "pf", password_file = "/etc/pfscope/es.password" }
queue = "16MiB"

[[output.stdout]]
name = "screen"
filter = "action block"
"#;

#[test]
fn a_configuration() {
    let config = Config::parse(SMALL).unwrap();
    assert_eq!(config.heartbeat(), Some(Duration::from_secs(30)));
    assert_eq!(config.sources[0].name(), "/var/log/pflog");
    assert_eq!(config.outputs.names().collect::<Vec<_>>(), ["screen", "siem"]);
    let siem = config.outputs.elasticsearch[0].common();
    assert_eq!(siem.queue, Some(Bytes(16 << 20)));
    assert_eq!(config.outputs.stdout[0].common().filter.as_deref(), Some("action block"));
    let never = SMALL.replace("30s", "0s");
    assert_eq!(Config::parse(&never).unwrap().heartbeat(), None);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (from, to, expected) in [
        ("queue =", "qeue =", "line 14, column 1: unknown field `qeue`"),
        ("follow = true", "folow = true", "line 7, column 1: unknown field `folow`"),
        ("output.stdout", "output.stdot", "line 16, column 10: unknown field `stdot`"),
        ("\"16MiB\"", "\"16 parsecs\"", "line 14, column 9: "),
        ("\"30s\"", "\"soon\"", "line 3, column 13: 'soon' is not a time"),
        ("password_file", "password", "line 13, column 24: unknown field `password`"),
        ("[[source]]", "[[source", "line 5, column "),
        ("action block", "acton block", "line 18, column 10: wrong filter:\n  acton block\n"),
        ("filter =", "format =", "line 18, column 10: format 'action block' is not ecs"),
        (
            "filter = \"action block\"",
            "[[output.syslog]]\naddress = \"x\"",
            "line 19, column 11: 'x'",
        ),
    ] {
        let wrong = Config::parse(&SMALL.replacen(from, to, 1)).unwrap_err();
        assert!(wrong.starts_with(expected), "{to}: {wrong}");
    }
}

#[test]
fn what_does_not_go_together_is_said() {
    for (from, to, expected) in [
        ("file = \"/var/log/pflog\"", "device = \"pflog0\"", "follow and from_start are for files"),
        ("file = \"/var/log/pflog\"", "name = \"x\"", "either a file, a device or vici"),
        ("follow = true", "from_start = true", "from_start needs follow"),
        ("follow = true", "ring = \"16MiB\"", "are for devices"),
        ("queue = \"16MiB\"", "spool = \"16KiB\"", "output siem: spool: 16384 bytes are too few"),
        (
            "file = \"/var/log/pflog\"\nfollow = true",
            "vici = \"http://x\"",
            "source http://x: vici: ",
        ),
        ("name = \"screen\"", "name = \"siem\"", "output siem is there twice"),
        ("name = \"screen\"", "name = \"../x\"", "a name has letters"),
        ("name = \"screen\"", "name = \".\"", "a name has letters"),
        (
            "name = \"screen\"",
            "name = \"a\"\n[[output.stdout]]\nname = \"b\"",
            "share standard output",
        ),
        (
            "[[output.stdout]]",
            "[[output.file]]\nname = \"x\"\npath = \"/etc/../var/log/pflog\"\n[[output.stdout]]",
            "source /var/log/pflog and output x share /var/log/pflog: give each a file of its own",
        ),
    ] {
        let wrong = Config::parse(&SMALL.replacen(from, to, 1)).unwrap_err();
        assert!(wrong.contains(expected), "{to}: {wrong}");
    }
    assert!(Config::parse("").unwrap_err().starts_with("nothing to read"));
    assert!(Config::parse("[[source]]\nfile=\"x\"").unwrap_err().starts_with("nowhere"));
}
