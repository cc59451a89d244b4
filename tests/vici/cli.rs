//! `pfscope vici` as a user runs it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use pfscope::vici::Uri;
use pfscope::vici::codec::{Packet, decode};
use pfscope::vici::message::{Item, Section};

use super::fake::{Chunks, Daemon, daemon, replay, tcp_daemon};

fn pfscope(uri: &Uri, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.arg("vici").args(arguments).arg("--uri").arg(uri.to_string()).env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn run(uri: &Uri, arguments: &[&str]) -> (i32, String, String) {
    ended(pfscope(uri, arguments).wait_with_output().unwrap())
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_recorded_list() {
    let (uri, server) = replay("list-sas", 1, Chunks::AsRecorded);
    let (status, out, err) = run(&uri, &["list-sas"]);
    server.join().unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(out.matches("list-sa event {\n").count(), 3);
    assert!(out.contains("        spi-in = bd571b07\n"), "{out}");
    assert!(out.contains("local-id = \"C=CH, O=Lab Ltd., CN=a two\"\n"));
    let (uri, server) = replay("list-policies", 1, Chunks::AsRecorded);
    let (status, out, err) = run(&uri, &["list-policies", "--format", "json"]);
    server.join().unwrap();
    assert_eq!((status, err.as_str()), (0, ""));
    let expected = r#"{"v":1,"type":"vici","event":"list-policy","message":{"site/net2":{"child":"net2","ike":"site","mode":"TUNNEL","local-ts":["172.16.1.0/24[tcp]"],"remote-ts":["172.16.2.0/24[tcp/https]"]}}}"#;
    assert_eq!(out.trim_end(), expected);
}

#[test]
fn the_undecodable_item_is_told_and_the_rest_printed() {
    let daemon = daemon(|_, mut peer| {
        peer.serve(|peer, said| {
            if said.1 == "list-sas" {
                peer.event("list-sa", &Section::new().with("first", "1"));
                peer.say(&Packet::Event { name: b"list-sa", body: &[121, 7] });
                peer.event("list-sa", &Section::new().with("last", "1"));
            }
            false
        });
    });
    let (status, out, err) = run(&daemon.uri, &["list-sas", "--format", "json"]);
    assert_eq!(status, 1);
    assert_eq!(out.lines().count(), 2);
    assert!(err.contains("element type 121 is not known (offset 0)"), "{err}");
    assert_eq!(err.lines().count(), 1);
}

/// A daemon that tells what it is asked, and answers `success = no` to `unload-conn`.
fn listening() -> (Daemon, mpsc::Receiver<(String, Section)>) {
    let (tell, told) = mpsc::channel();
    let daemon = daemon(move |_, mut peer| {
        let tell = tell.clone();
        peer.serve(|peer, said| {
            if said.0 != 0 {
                return false;
            }
            let _ = tell.send((said.1.clone(), decode(&said.2).unwrap()));
            let refused = said.1 == "unload-conn";
            let mut reply = Section::new().with("success", if refused { "no" } else { "yes" });
            if refused {
                reply.push_value("errmsg", "not \x1b[2Jfound");
            }
            peer.reply(&reply);
            true
        });
    });
    (daemon, told)
}

#[test]
fn nothing_is_changed_without_write() {
    let (daemon, told) = listening();
    for command in ["initiate", "terminate", "rekey", "load-conn", "clear-creds", "nonsense"] {
        let (status, out, err) = run(&daemon.uri, &[command]);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains("--write") && err.lines().count() == 1, "{err}");
    }
    assert!(told.try_recv().is_err(), "the daemon heard of it");
    let (status, _, err) = run(&daemon.uri, &["initiate", "--write", "child=a", "timeout=0"]);
    assert!(status == 2 && err.contains("for ever"), "{err}");
    let (status, out, _) = run(&daemon.uri, &["initiate", "--write", "child=a", "--timeout", "3"]);
    assert_eq!((status, out.as_str()), (0, "initiate reply {\n  success = yes\n}\n"));
    let (command, request) = told.recv().unwrap();
    assert_eq!(command, "initiate");
    assert_eq!(request, Section::new().with("child", "a").with("timeout", "3000"));
}

#[test]
fn requests_from_arguments_and_from_standard_input() {
    let (daemon, told) = listening();
    let arguments =
        ["load-conn", "--write", "gw.\"my net\".local_ts=[10.0.0.0/8,b]", "gw.version=2"];
    assert_eq!(run(&daemon.uri, &arguments).0, 0);
    let mut gw = Section::new();
    gw.insert(&["my net", "local_ts"], Item::List(vec![b"10.0.0.0/8".to_vec(), b"b".to_vec()]));
    gw.push_value("version", "2");
    let mut expected = Section::new();
    expected.push_section("gw", gw);
    assert_eq!(told.recv().unwrap().1, expected);
    let mut child = pfscope(&daemon.uri, &["load-conn", "--write", "-"]);
    let json = r#"{"gw":{"my net":{"local_ts":["10.0.0.0/8","b"]},"version":2}}"#;
    child.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    assert_eq!(ended(child.wait_with_output().unwrap()).0, 0);
    assert_eq!(told.recv().unwrap().1, expected);
    for (wrong, why) in [("local_ts", "is not KEY=VALUE"), ("-", "standard input")] {
        let (status, _, err) = run(&daemon.uri, &["list-sas", wrong]);
        assert!(status == 2 && err.contains(why), "{err}");
    }
}

#[test]
fn a_refusal_is_an_error_without_control_characters() {
    let (daemon, _told) = listening();
    let (status, out, err) = run(&daemon.uri, &["unload-conn", "--write", "name=x"]);
    assert_eq!(status, 1);
    assert!(err.ends_with("unload-conn: not \\x1b[2Jfound\n"), "{err}");
    assert!(!out.contains('\x1b') && out.contains("errmsg"));
}

#[test]
fn names_of_the_daemon_do_not_reach_the_terminal() {
    let daemon = daemon(|_, mut peer| {
        peer.serve(|peer, said| {
            if said.1 == "get-conns" {
                let mut reply = Section::new().with(b"\x1b]0;x\x07", b"\x9b1m\xff\n");
                reply.push_list("l\r", ["\u{202e}abc"]);
                peer.reply(&reply);
                return true;
            }
            false
        });
    });
    for format in ["text", "json"] {
        let (status, out, err) = run(&daemon.uri, &["get-conns", "--format", format]);
        assert_eq!((status, err.as_str()), (0, ""));
        let harmless = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(out.chars().all(harmless), "{out:?}");
    }
}

#[test]
fn one_clear_line_when_nobody_answers() {
    let folder = tempfile::tempdir().unwrap();
    let uri = Uri::Unix(folder.path().join("charon.vici"));
    for command in ["version", "listen"] {
        let (status, out, err) = run(&uri, &[command]);
        assert_eq!((status, out.as_str(), err.lines().count()), (1, "", 1));
        assert!(err.contains("there is no such socket: is strongSwan running"), "{err}");
    }
    let daemon = daemon(|_, mut peer| peer.serve(|_, _| true));
    let (status, _, err) = run(&daemon.uri, &["version", "--timeout", "0.1"]);
    assert!(status == 1 && err.ends_with("version: no answer within 100ms\n"), "{err}");
    let uri = tcp_daemon(|_, mut peer| peer.serve(|_, _| false));
    let (status, out, err) = run(&uri, &["version"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("version = 5.9.8"));
}

#[test]
fn listening_goes_on_after_a_restart() {
    let daemon = daemon(|number, mut peer| {
        let up = Section::new().with("up", "yes").with("connection", number.to_string());
        while let Some((kind, ..)) = peer.hear() {
            if kind == 3 {
                peer.say(&Packet::EventConfirm);
                continue;
            }
            peer.reply(&Section::new().with("version", "5.9.8"));
            peer.event("child-updown", &up);
            peer.say(&Packet::Event { name: b"child-updown", body: &[9] });
            // The first daemon ends.
            if number == 0 {
                break;
            }
        }
    });
    let (status, out, err) = run(&daemon.uri, &["listen", "-c", "4", "child-updown"]);
    assert_eq!(status, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with(" child-updown {up=yes connection=0}"), "{out}");
    assert!(lines[1].ends_with(" child-updown {up=yes connection=1}"), "{out}");
    assert_eq!(lines[0].as_bytes()[10], b' ', "date and time in front");
    assert!(err.contains("listening to strongSwan 5.9.8"), "{err}");
    assert!(err.contains("the daemon closed the connection; waiting for the daemon"), "{err}");
    assert!(err.contains("listening again") && err.contains("cannot be decoded"), "{err}");
    let (status, _, err) = run(&daemon.uri, &["listen", "nonsense"]);
    assert!(status == 2 && err.contains("no event known"), "{err}");
}

#[test]
fn events_in_the_schemas_of_a_siem() {
    let daemon = daemon(|_, mut peer| {
        peer.serve(|peer, said| {
            if said.1 == "version" {
                peer.reply(&Section::new().with("version", "6.0.6"));
                let mut alert = Section::new().with("type", "cert-expired");
                let mut sas = Section::new();
                sas.push_section("gw", Section::new().with("local-host", "192.0.2.1"));
                alert.push_section("ike-sa", sas);
                peer.event("alert", &alert);
                return true;
            }
            false
        });
    });
    let listen = ["listen", "-c", "1", "--observer", "fw7", "--format"];
    let line = |format: &[&str]| -> serde_json::Value {
        let (status, out, err) = run(&daemon.uri, &[&listen, format].concat());
        assert_eq!(status, 0, "{err}");
        serde_json::from_str(out.trim_end()).unwrap()
    };
    let ecs = line(&["ecs", "--ecs-version", "8.11"]);
    assert_eq!(ecs["ecs"]["version"], "8.11.0");
    assert_eq!(
        (&ecs["event"]["action"], &ecs["event"]["reason"]),
        (&"alert".into(), &"cert-expired".into())
    );
    assert_eq!(
        (&ecs["observer"]["name"], &ecs["observer"]["version"]),
        (&"fw7".into(), &"6.0.6".into())
    );
    assert_eq!(ecs["event"]["provider"], daemon.uri.to_string());
    let ocsf = line(&["ocsf"]);
    assert_eq!((&ocsf["class_uid"], &ocsf["status_id"]), (&4014.into(), &2.into()));
    assert_eq!(ocsf["dst_endpoint"]["ip"], "192.0.2.1");
    let (status, out, err) = run(&daemon.uri, &["list-sas", "--format", "ecs"]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(err.contains("vici listen") && err.lines().count() == 1, "{err}");
}

#[test]
fn a_closed_pipe_is_a_normal_end() {
    let daemon = daemon(|_, mut peer| {
        peer.serve(|peer, said| {
            if said.1 == "version" {
                peer.reply(&Section::new());
                let event = Section::new().with("up", "yes");
                (0..20_000).for_each(|_| peer.event("ike-updown", &event));
                return true;
            }
            false
        });
    });
    let mut child = pfscope(&daemon.uri, &["listen", "--format", "json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    drop(lines);
    assert!(line.starts_with(r#"{"v":1,"type":"vici","ts":"20"#), "{line}");
    assert!(line.ends_with(r#"Z","event":"ike-updown","message":{"up":"yes"}}"#), "{line}");
    let mut stderr = child.stderr.take().unwrap();
    let messages = thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!messages.join().unwrap().contains("cannot write"));
}
