//! Tests submission against servers that fail in every way. Each report must arrive once, and
//! secrets must appear only in requests.
#![cfg(all(unix, feature = "testing"))]

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use annals::archive::{Archive, Options};
use annals::convert::{Cancel, Reprocess, Resend, convert_entry, reprocess, select};
use annals::disk::sim::{SimDisk, Variants};
use annals::entry::{Entry, Submission};
use annals::host::{Archives, Config, Hooks, Host, RunSummary, Stop, run_once};
use annals::id::EntryId;
use annals::query::Filter;

const TOKEN: &str = "c2VjcmV0LXRva2VuLW9mLXRoZS1wbGFudA==";

/// Makes a WSJF report from the serial in the file. `two` makes two reports, `bare` one without a
/// part number.
const CONVERTER: &str = r#"sn="$(cat "$1")"
report() {
    printf '{"id":"0d9f3a1e-0000-4000-8000-000000000001","location":"L","machineName":"M","pn":"%s","purpose":"P",' "$2"
    printf '"result":"P","rev":"1","sn":"%s","start":"2026-03-01T08:30:00+01:00","startUTC":"2026-03-01T07:30:00Z",' "$1"
    printf '"type":"T","processCode":10,"root":{},"uut":{}}'
}
case "$sn" in
    two*) printf '{"status":"success","reports":['; report "$sn-a" P1; printf ','; report "$sn-b" P1; printf ']}' ;;
    bare*) report "$sn" "" ;;
    *) report "$sn" P1 ;;
esac"#;

/// How the server answers one request.
#[derive(Debug, Clone)]
enum Whim {
    /// Answers correctly.
    Behave,
    /// Accepts the report and disconnects without an answer.
    LoseAnswer,
    /// Disconnects before it has read everything.
    HangUp,
    /// Gives this answer and does not accept the report.
    Say(u16, &'static str, String),
    /// Accepts the report and answers something that is not JSON.
    Garbage,
    /// Accepts the report and sends an endless answer.
    Endless,
    /// Waits this long before it answers.
    Sleep(Duration),
}

#[derive(Default)]
struct Books {
    whims: VecDeque<Whim>,
    /// Reports by the key they were sent under.
    taken: BTreeMap<String, serde_json::Value>,
    /// The keys of all requests, in order.
    keys: Vec<String>,
    /// The headers of all requests.
    headers: Vec<String>,
}

/// A WSJF endpoint that checks what the real one requires and accepts each key once. It misbehaves
/// on demand.
struct Server {
    address: SocketAddr,
    books: Arc<Mutex<Books>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        Self::at("127.0.0.1:0")
    }

    fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let books = Arc::new(Mutex::new(Books::default()));
        let kept = Arc::clone(&books);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let books = Arc::clone(&kept);
                if !serve(stream, &books) {
                    return;
                }
            }
        });
        Self {
            address,
            books,
            thread: Some(thread),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/api/Report/WSJF", self.address)
    }

    fn then(&self, whim: Whim) -> &Self {
        self.books().whims.push_back(whim);
        self
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().expect("no panic")
    }

    fn serials(&self) -> Vec<String> {
        let books = self.books();
        let serial = |report: &serde_json::Value| report["sn"].as_str().expect("text").to_owned();
        let mut serials: Vec<String> = books.taken.values().map(serial).collect();
        serials.sort();
        serials
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.write_all(b"STOP\r\n\r\n");
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves one request. Returns false when told to stop.
fn serve(mut stream: TcpStream, books: &Mutex<Books>) -> bool {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return true;
        }
    }
    if head.starts_with("STOP") {
        return false;
    }
    let header = |name: &str| {
        let line = head.lines().find(|line| {
            let start = line.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        line.and_then(|line| line.split_once(": "))
            .map(|(_, value)| value.to_owned())
    };
    let length: usize = header("Content-Length").map_or(0, |text| text.parse().expect("a length"));
    let key = header("Idempotency-Key").expect("every request has a key");
    let mut books = books.lock().expect("no panic");
    books.keys.push(key.clone());
    books.headers.push(head.clone());
    let whim = books.whims.pop_front();
    if matches!(whim, Some(Whim::HangUp)) {
        return true;
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return true;
    }
    let answer = |status: u16, headers: &str, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        )
    };
    let take = |books: &mut Books| {
        let report: serde_json::Value = match serde_json::from_slice(&body) {
            Ok(report) => report,
            Err(error) => return answer(400, "", &format!("no JSON: {error}")),
        };
        for required in [
            "id",
            "location",
            "machineName",
            "pn",
            "purpose",
            "result",
            "rev",
            "sn",
            "start",
            "startUTC",
            "type",
            "processCode",
            "root",
            "uut",
        ] {
            if report[required].is_null() || report[required] == "" {
                return answer(400, "", &format!("The field '{required}' is required."));
            }
        }
        if !head.contains(&format!("uthorization: Basic {TOKEN}\r\n")) {
            return answer(401, "", "no token");
        }
        let number = books.taken.len() + 1;
        let known = books.taken.entry(key.clone()).or_insert(report);
        known["ID"] = match known["ID"].as_str() {
            Some(id) => id.into(),
            None => format!("WATS-{number}").into(),
        };
        answer(
            200,
            "Content-Type: application/json\r\n",
            &format!(r#"[{{"ID":{}}}]"#, known["ID"]),
        )
    };
    let text = match whim {
        None | Some(Whim::Behave) => take(&mut books),
        Some(Whim::LoseAnswer) => {
            take(&mut books);
            return true;
        }
        Some(Whim::HangUp) => return true,
        Some(Whim::Say(status, headers, text)) => answer(status, headers, &text),
        Some(Whim::Garbage) => {
            take(&mut books);
            answer(200, "", "\u{1}\u{2}{{{ not an answer")
        }
        Some(Whim::Endless) => {
            take(&mut books);
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[b'x'; 8192]).is_ok() {}
            return true;
        }
        Some(Whim::Sleep(time)) => {
            drop(books);
            std::thread::sleep(time);
            return true;
        }
    };
    let _ = stream.write_all(text.as_bytes());
    true
}

struct Plant {
    dir: tempfile::TempDir,
    archive: Option<Archive>,
    url: String,
    /// More settings of the converter.
    more: String,
    /// Other converters.
    others: String,
    /// The time limit of one submission. Long, so that on a busy machine nothing is late by
    /// accident.
    timeout_s: u32,
    /// The messages of the host.
    told: Arc<Mutex<Vec<String>>>,
}

impl Plant {
    fn new(server: &Server) -> Self {
        Self::sending_to(&server.url())
    }

    fn sending_to(url: &str) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        for folder in ["in", "error"] {
            fs::create_dir(dir.path().join(folder)).expect("made");
        }
        fs::write(dir.path().join("run.sh"), CONVERTER).expect("written");
        fs::write(dir.path().join("token"), format!("{TOKEN}\n")).expect("written");
        let archive = Archive::create(dir.path().join("store"), Options::default()).expect("made");
        Self {
            dir,
            archive: Some(archive),
            url: url.to_owned(),
            more: "archive_enabled = true\npost_process = \"archive\"\n".to_owned(),
            others: String::new(),
            timeout_s: 30,
            told: Arc::default(),
        }
    }

    fn archive(&self) -> &Archive {
        self.archive.as_ref().expect("open")
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.dir.path().join("in").join(name), content).expect("written");
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let items = fs::read_dir(self.dir.path().join(folder)).expect("a folder");
        let name = |item: std::io::Result<fs::DirEntry>| {
            item.expect("item")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = items.map(name).collect();
        names.sort();
        names
    }

    fn config(&self) -> Config {
        let text = format!(
            "[host]\nmin_free_disk_gb = 0\n[[converter]]\nname = \"T\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\n\
             bundle = [\"run.sh\"]\nenvironment = \"sh\"\nwatch_folder = \"in\"\nsettle_s = 0\nerror_folder = \"error\"\n\
             retry = {{ delay_s = 0 }}\n{}\
             [converter.submit]\nurl = \"{}\"\nheaders = {{ Authorization = \"Basic ${{file:token}}\" }}\ntimeout_s = {}\n{}",
            self.more, self.url, self.timeout_s, self.others
        );
        Config::parse(&text, &self.dir.path().join("host.toml")).expect("valid")
    }

    fn hooks(&self) -> Hooks {
        let told = Arc::clone(&self.told);
        Hooks::new(move |notice| {
            let mut told = told.lock().expect("no panic");
            told.push(format!("{notice:?}"));
        })
    }

    fn told(&self, word: &str) -> usize {
        let told = self.told.lock().expect("no panic");
        told.iter().filter(|line| line.contains(word)).count()
    }

    /// Makes one pass, as `annals host run --once` does.
    fn run(&self) -> RunSummary {
        let archives = Archives::shared(self.archive.clone());
        let hooks = self.hooks();
        run_once(archives, self.config(), &Cancel::default(), &hooks).expect("ran")
    }

    /// Runs the host until `done` returns true, which must happen within a minute.
    fn run_until(&self, done: impl Fn() -> bool) {
        let archives = Archives::shared(self.archive.clone());
        let host = Arc::new(Host::new(archives, self.config()).expect("made"));
        let (stop, began) = (Stop::default(), Instant::now());
        let hooks = self.hooks();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                host.run(None, &stop, &hooks);
            });
            while !done() && began.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(20));
            }
            stop.drain();
            let asked = Instant::now();
            running.join().expect("no panic");
            assert!(
                asked.elapsed() < Duration::from_secs(20),
                "stopped in bounded time"
            );
        });
        assert!(done(), "within a minute; told: {:#?}", self.told);
    }

    /// Closes the store and opens it again, as after a crash or an update.
    fn restart(&mut self) {
        self.archive.take().expect("open").close().expect("closed");
        // A process that another test is starting holds the lock until it is another program.
        let options = Options::default().lock_wait(Duration::from_secs(30));
        let opened = Archive::open(self.dir.path().join("store"), options);
        self.archive = Some(opened.expect("opened"));
    }

    fn waiting(&self) -> u64 {
        let snapshot = self.archive().snapshot().expect("taken");
        snapshot.pending_submissions().expect("read").count
    }

    fn entries(&self) -> Vec<Entry> {
        let snapshot = self.archive().snapshot().expect("taken");
        let ids = select(self.archive(), &Filter::default())
            .expect("selected")
            .ids;
        let entry = |id: EntryId| snapshot.entry(id).expect("read").expect("there");
        ids.into_iter().map(entry).collect()
    }

    fn only_entry(&self) -> Entry {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }

    /// Returns how many events of a type the log holds.
    fn events(&self, wanted: &str) -> usize {
        let first = annals::id::EventSeq(1);
        let leaves = self.archive().events(first, None).expect("read");
        let kind = format!("\"type\":\"annals.{wanted}.v1\"");
        leaves
            .filter(|leaf| leaf.as_ref().expect("sound").line.contains(&kind))
            .count()
    }

    /// Checks that neither the store nor any message of the host contains the token.
    fn keeps_the_secret(&mut self) {
        self.restart();
        self.archive.take().expect("open").close().expect("closed");
        let mut read = 0;
        look_into(&self.dir.path().join("store"), &mut read);
        assert!(read > 3, "{read} files");
        assert_eq!(self.told(TOKEN), 0);
        let summary = format!("{:?}", self.config());
        assert!(!summary.contains(TOKEN));
    }
}

fn look_into(folder: &Path, read: &mut usize) {
    for item in fs::read_dir(folder).expect("a folder") {
        let path = item.expect("item").path();
        if path.is_dir() {
            look_into(&path, read);
        } else {
            let bytes = fs::read(&path).expect("read");
            let found = bytes
                .windows(TOKEN.len())
                .any(|window| window == TOKEN.as_bytes());
            assert!(!found, "the token is in {}", path.display());
            *read += 1;
        }
    }
}

#[test]
fn every_report_arrives_once_whatever_the_server_does_meanwhile() {
    let server = Server::start();
    for whim in [
        Whim::LoseAnswer,
        Whim::HangUp,
        Whim::Say(500, "", format!("oops Basic {TOKEN}")),
        Whim::Say(429, "Retry-After: 1\r\n", "slow down".into()),
        Whim::Sleep(Duration::from_millis(1500)),
        Whim::Garbage,
        Whim::Endless,
    ] {
        // A success between two failures, because after consecutive failures the waiting time
        // doubles.
        server.then(whim).then(Whim::Behave);
    }
    let mut plant = Plant::new(&server);
    plant.timeout_s = 1;
    for number in 0..10 {
        plant.put(&format!("{number}.csv"), &format!("SN-{number}"));
    }
    plant.put("two.csv", "two");
    plant.run_until(|| server.books().taken.len() == 12 && plant.waiting() == 0);

    let mut expected: Vec<String> = (0..10).map(|number| format!("SN-{number}")).collect();
    expected.extend(["two-a".to_owned(), "two-b".to_owned()]);
    assert_eq!(server.serials(), expected);
    assert_eq!(plant.names("in"), [""; 0]);
    for entry in plant.entries() {
        for report in entry.attempts.iter().flat_map(|attempt| &attempt.reports) {
            let id = report.report_id.as_deref().expect("submitted");
            let books = server.books();
            let by_name = books
                .taken
                .values()
                .filter(|report| report["ID"] == id)
                .count();
            // Where the server's answer was unreadable, the report is recorded under its key.
            assert_eq!(
                by_name + usize::from(books.taken.contains_key(id)),
                1,
                "{id}"
            );
            assert_eq!(report.submission, None);
        }
    }
    let books = server.books();
    assert!(books.keys.len() > 16, "{} requests", books.keys.len());
    drop(books);
    assert_eq!(
        (plant.events("submit.intended"), plant.events("reported")),
        (12, 12)
    );
    assert!(plant.told("SubmissionWaits") > 0);
    plant.keeps_the_secret();
}

#[test]
fn reports_wait_in_the_store_while_nobody_listens_and_survive_a_restart() {
    let address = {
        let server = Server::start();
        server.address
    };
    let mut plant = Plant::sending_to(&format!("http://{address}/api/Report/WSJF"));
    for number in 0..5 {
        plant.put(&format!("{number}.csv"), &format!("SN-{number}"));
    }
    let summary = plant.run();
    assert_eq!(
        (
            summary.successful,
            summary.reports_waiting,
            summary.reports_submitted
        ),
        (5, 5, 0)
    );
    // One message, not one for each report.
    assert_eq!(summary.errors.len(), 1, "{:?}", summary.errors);
    assert_eq!(plant.names("in"), [""; 0], "the store has them");
    let waits = |entry: &Entry| {
        let report = &entry.attempts[0].reports[0];
        matches!(report.submission, Some(Submission::Waiting { .. }))
    };
    assert!(plant.entries().iter().all(waits));

    plant.restart();
    let server = Server::at(&address.to_string());
    let summary = plant.run();
    assert_eq!(
        (
            summary.found,
            summary.reports_submitted,
            summary.reports_waiting
        ),
        (0, 5, 0)
    );
    assert_eq!(server.books().taken.len(), 5);
    assert_eq!(
        plant.events("submit.intended"),
        5,
        "once a report, not once a try"
    );
    plant.keeps_the_secret();
}

#[test]
fn a_report_whose_answer_was_lost_in_a_crash_is_sent_under_the_same_key() {
    let server = Server::start();
    server.then(Whim::LoseAnswer);
    let mut plant = Plant::new(&server);
    plant.put("1.csv", "SN-1");
    assert_eq!(plant.run().reports_waiting, 1);
    assert_eq!(
        (plant.events("submit.intended"), plant.events("reported")),
        (1, 0)
    );
    plant.restart();
    assert_eq!(plant.run().reports_submitted, 1);
    let books = server.books();
    assert_eq!((books.taken.len(), books.keys.len()), (1, 2));
    assert_eq!(books.keys[0], books.keys[1]);
    assert_eq!(plant.only_entry().report_id.as_deref(), Some("WATS-1"));
}

#[test]
fn a_rejected_report_keeps_the_servers_words_and_is_sent_again_only_when_asked() {
    let server = Server::start();
    server.then(Whim::Behave).then(Whim::Behave);
    let secret = format!("Basic {TOKEN} may not send {TOKEN}");
    server.then(Whim::Say(422, "", secret));
    let mut plant = Plant::new(&server);
    plant.put("1.csv", "bare-1");
    plant.put("2.csv", "SN-2");
    let summary = plant.run();
    assert_eq!(
        (
            summary.reports_submitted,
            summary.reports_rejected,
            summary.reports_waiting
        ),
        (1, 1, 0)
    );
    let rejected = |plant: &Plant| {
        let entries = plant.entries();
        let reports = entries.iter().flat_map(|entry| &entry.attempts[0].reports);
        let found = reports
            .into_iter()
            .find_map(|report| match &report.submission {
                Some(Submission::Rejected { status, text, .. }) => Some((*status, text.clone())),
                _ => None,
            });
        found.expect("one is rejected")
    };
    let words = (400, "The field 'pn' is required.".to_owned());
    assert_eq!(rejected(&plant), words);
    plant.restart();
    assert_eq!(plant.run().reports_rejected, 0, "not by itself");
    assert_eq!(rejected(&plant), words);

    let id = plant
        .entries()
        .iter()
        .find(|entry| entry.report_id.is_none())
        .expect("one")
        .id;
    assert_eq!(plant.archive().resubmit(id).expect("recorded"), 1);
    assert_eq!(plant.archive().resubmit(id).expect("nothing to do"), 0);
    assert_eq!(plant.waiting(), 1);
    assert_eq!(plant.run().reports_rejected, 1);
    assert_eq!(rejected(&plant), (422, "*** may not send ***".to_owned()));
    let books = server.books();
    let again = books.keys.last().expect("asked");
    let alike = books.keys.iter().filter(|key| *key == again).count();
    assert_eq!(alike, 1, "another request, under another key");
    drop(books);
    plant.keeps_the_secret();
}

#[test]
fn a_wrong_token_or_address_burns_no_report_and_a_right_one_is_used_at_once_after_a_restart() {
    let server = Server::start();
    let mut plant = Plant::new(&server);
    fs::write(plant.dir.path().join("token"), "wrong-token").expect("written");
    for number in 0..5 {
        plant.put(&format!("{number}.csv"), &format!("SN-{number}"));
    }
    let summary = plant.run();
    assert_eq!((summary.reports_rejected, summary.reports_waiting), (0, 5));
    assert_eq!(
        server.books().keys.len(),
        1,
        "asked once, not for each report"
    );
    assert!(
        summary.errors[0].error.contains("401"),
        "{:?}",
        summary.errors
    );

    fs::remove_file(plant.dir.path().join("token")).expect("removed");
    let summary = plant.run();
    assert_eq!((server.books().keys.len(), summary.reports_waiting), (1, 5));
    assert!(
        summary.errors[0].error.contains("token"),
        "{:?}",
        summary.errors
    );

    fs::write(plant.dir.path().join("token"), TOKEN).expect("written");
    assert_eq!(plant.run().reports_submitted, 5);
    plant.keeps_the_secret();
}

#[test]
fn a_redirect_is_not_followed_and_takes_the_token_nowhere() {
    let (server, elsewhere) = (Server::start(), Server::start());
    let to: &'static str = format!("Location: http://{}/r?token=x\r\n", elsewhere.address).leak();
    for status in [301, 302, 307, 308] {
        server.then(Whim::Say(status, to, String::new()));
    }
    let plant = Plant::new(&server);
    plant.put("1.csv", "SN-1");
    for _ in 0..4 {
        let summary = plant.run();
        assert_eq!(summary.reports_waiting, 1);
        let error = &summary.errors[0].error;
        assert!(
            error.contains(&elsewhere.address.to_string()) && !error.contains("token=x"),
            "{error}"
        );
    }
    assert_eq!(elsewhere.books().headers.len(), 0);
    assert_eq!(plant.run().reports_submitted, 1);
}

#[test]
fn one_report_the_server_fails_on_does_not_hold_up_the_others() {
    let server = Server::start();
    server.then(Whim::Say(500, "", "cannot".into()));
    let plant = Plant::new(&server);
    for number in 0..4 {
        plant.put(&format!("{number}.csv"), &format!("SN-{number}"));
    }
    let summary = plant.run();
    assert_eq!((summary.reports_submitted, summary.reports_waiting), (3, 1));
}

#[test]
fn a_report_that_no_store_keeps_is_sent_before_its_file_goes() {
    for archived in [true, false] {
        let server = Server::start();
        server.then(Whim::LoseAnswer);
        let mut plant = Plant::new(&server);
        plant.more = if archived {
            "archive_enabled = true\narchive_output_reports = false\npost_process = \"archive\"\n"
                .to_owned()
        } else {
            "post_process = \"delete\"\n".to_owned()
        };
        plant.put("1.csv", "two");
        assert_eq!(plant.run().left, 1);
        assert_eq!(plant.names("in"), ["1.csv"]);
        let summary = plant.run();
        assert_eq!((summary.successful, summary.reports_submitted), (1, 2));
        assert_eq!(plant.names("in"), [""; 0]);
        assert_eq!(
            server.serials(),
            ["two-a", "two-b"],
            "the lost one came under the same key"
        );

        plant.put("2.csv", "bare");
        let summary = plant.run();
        assert_eq!((summary.rejected, summary.reports_rejected), (1, 1));
        assert_eq!(plant.names("error"), ["2.csv"]);
        if archived {
            let entries = plant.entries();
            assert_eq!(
                (entries.len(), entries[0].attempts.len()),
                (2, 1),
                "the first try was not recorded"
            );
            let error = entries[1].attempts[0].error.as_deref();
            assert!(
                error.is_some_and(|error| error.contains("'pn' is required")),
                "{error:?}"
            );
        }
        plant.keeps_the_secret();
    }
}

#[test]
fn only_what_the_host_or_a_job_wants_sent_is_sent() {
    let server = Server::start();
    let plant = Plant::new(&server);
    plant.put("1.csv", "SN-1");
    plant.put("2.csv", "SN-2");
    assert_eq!(plant.run().reports_submitted, 2);
    let config = plant.config();
    let converter = config.converters[0].converter.clone();
    let endpoint = config.converters[0]
        .submit
        .as_ref()
        .expect("given")
        .endpoint();
    let id = plant.entries()[0].id;
    let runner =
        annals::convert::Runner::new(converter.clone(), 1, plant.dir.path()).expect("ready");
    convert_entry(plant.archive(), &runner, id, None, &Cancel::default()).expect("ran");
    assert_eq!(plant.waiting(), 0, "by hand");

    let again = |resend| {
        let options = Reprocess::default()
            .resend(resend)
            .endpoints(BTreeMap::from([("T".to_owned(), endpoint.clone())]))
            .scratch(plant.dir.path());
        let selection = select(plant.archive(), &Filter::default()).expect("selected");
        let converters = [converter.clone()];
        reprocess(
            plant.archive(),
            &selection,
            &converters,
            &options,
            &Cancel::default(),
            &|_| {},
        )
        .expect("ran")
    };
    assert_eq!((again(Resend::None).submitted, plant.waiting()), (0, 0));
    assert_eq!((again(Resend::Changed).submitted, plant.waiting()), (0, 0));
    assert_eq!((again(Resend::All).submitted, plant.waiting()), (2, 2));
    let changed = CONVERTER.replace("P1", "P2");
    fs::write(plant.dir.path().join("run.sh"), changed).expect("written");
    assert_eq!((again(Resend::Changed).submitted, plant.waiting()), (2, 4));
    assert_eq!(plant.run().reports_submitted, 4);
    assert_eq!(server.books().taken.len(), 6);
    let parts = |report: &serde_json::Value| report["pn"] == "P2";
    assert_eq!(
        server
            .books()
            .taken
            .values()
            .filter(|report| parts(report))
            .count(),
        2
    );
}

/// A converter is corrected, and its new report goes to a server that has the old one. The server
/// is told which one it corrects, in the same words before and after a lost answer.
#[test]
fn a_correction_names_the_report_that_it_corrects() {
    let server = Server::start();
    let mut plant = Plant::new(&server);
    plant.put("1.csv", "SN-1");
    assert_eq!(plant.run().reports_submitted, 1);
    let first = plant.only_entry().report_id.expect("taken");

    let convert_again = |plant: &Plant, part: &str| {
        let changed = CONVERTER.replace("P1", part);
        fs::write(plant.dir.path().join("run.sh"), changed).expect("written");
        let config = plant.config();
        let submit = config.converters[0].submit.as_ref().expect("given");
        let options = Reprocess::default()
            .resend(Resend::Changed)
            .endpoints(BTreeMap::from([("T".to_owned(), submit.endpoint())]))
            .scratch(plant.dir.path());
        let selection = select(plant.archive(), &Filter::default()).expect("selected");
        let converters = [config.converters[0].converter.clone()];
        let cancel = Cancel::default();
        let (archive, quiet) = (plant.archive(), |_: &annals::convert::Step| {});
        let result = reprocess(archive, &selection, &converters, &options, &cancel, &quiet);
        assert_eq!(result.expect("ran").submitted, 1);
    };
    // Two corrections wait at once: each names the one before it.
    convert_again(&plant, "P2");
    convert_again(&plant, "P3");
    server.then(Whim::LoseAnswer);
    plant.run();
    plant.restart();
    while plant.waiting() > 0 {
        plant.run();
    }
    let ids: Vec<String> = (plant.only_entry().attempts.iter())
        .map(|attempt| attempt.reports[0].report_id.clone().expect("taken"))
        .collect();
    assert_eq!(ids.len(), 3);
    let told: Vec<Option<String>> = (server.books().headers.iter())
        .map(|head| {
            let mut lines = head.lines().map(str::to_ascii_lowercase);
            let line = lines.find(|line| line.starts_with("annals-corrects: "));
            line.map(|line| line["annals-corrects: ".len()..].to_ascii_uppercase())
        })
        .collect();
    let (first, second) = (Some(first), Some(ids[1].clone()));
    assert_eq!(told, [None, first.clone(), first, second]);
    assert_eq!(server.books().taken.len(), 3, "none was taken twice");
    assert_eq!(plant.events("submit.intended"), 3);
}

#[test]
fn a_server_that_is_down_holds_up_no_reports_for_another() {
    let address = Server::start().address;
    let server = Server::start();
    let mut plant = Plant::sending_to(&format!("http://{address}/r"));
    fs::create_dir(plant.dir.path().join("other")).expect("made");
    plant.others = format!(
        "[[converter]]\nname = \"U\"\ncommand = [\"sh\", \"run.sh\", \"{{input}}\"]\nbundle = [\"run.sh\"]\n\
         environment = \"sh\"\nwatch_folder = \"other\"\nsettle_s = 0\narchive_enabled = true\n\
         [converter.submit]\nurl = \"{}\"\nheaders = {{ Authorization = \"Basic {TOKEN}\" }}\n",
        server.url()
    );
    for number in 0..20 {
        plant.put(&format!("{number}.csv"), &format!("SN-{number}"));
        let other = plant.dir.path().join(format!("other/{number}.csv"));
        fs::write(other, format!("U-{number}")).expect("written");
    }
    plant.run_until(|| server.books().taken.len() == 20 && plant.waiting() == 20);
    assert!(
        plant.told("SubmissionWaits") < 5,
        "not once for each report"
    );
    plant.keeps_the_secret();
}

/// The power is cut between any two disk operations while reports are sent and recorded. Whatever
/// is left, the next host must send what waits, under keys that the server has seen already.
#[test]
fn after_a_power_cut_at_any_moment_a_report_comes_under_the_key_it_had() {
    let server = Server::start();
    let mut plant = Plant::new(&server);
    let disk = SimDisk::new();
    let archive = Archive::create_on(Arc::new(disk.clone()), Options::default()).expect("made");
    plant.archive = Some(archive);
    plant.put("1.csv", "SN-1");
    plant.put("2.csv", "two");
    assert_eq!(plant.run().reports_submitted, 3);
    plant.archive.take().expect("open").close().expect("closed");

    let variants = Variants {
        each: 1,
        torn_at: vec![512],
        random: 1,
        seed: 7,
    };
    let (mut images, mut sent_again) = (0, 0);
    for image in disk.crash_images(.., &variants).step_by(3) {
        let Ok(archive) = Archive::open_on(Arc::new(image.disk), Options::default()) else {
            // The store did not exist yet.
            continue;
        };
        plant.archive = Some(archive);
        let waiting = plant.waiting();
        let summary = plant.run();
        assert_eq!(
            (summary.reports_submitted, summary.reports_waiting),
            (waiting, 0)
        );
        for entry in plant.entries() {
            let mut reports = entry.attempts.iter().flat_map(|attempt| &attempt.reports);
            assert!(reports.all(|report| report.report_id.is_some()));
        }
        assert_eq!(server.books().taken.len(), 3, "no key it had not seen");
        images += 1;
        sent_again += waiting;
    }
    assert!(
        images > 20 && sent_again > 10,
        "{images} images, {sent_again} sent again"
    );
}

#[test]
fn what_waits_of_a_converter_without_an_endpoint_is_told_and_kept() {
    let address = Server::start().address;
    let plant = Plant::sending_to(&format!("http://{address}/r"));
    plant.put("1.csv", "SN-1");
    plant.run();
    let text = "[[converter]]\nname = \"U\"\ncommand = [\"sh\", \"run.sh\", \"{input}\"]\n";
    let config = Config::parse(text, &plant.dir.path().join("host.toml")).expect("valid");
    let archives = Archives::shared(plant.archive.clone());
    let hooks = plant.hooks();
    let summary = run_once(archives, config, &Cancel::default(), &hooks).expect("ran");
    assert_eq!(
        (
            summary.reports_waiting,
            plant.told("reports of converter 'T' wait")
        ),
        (1, 1)
    );
    let pending = plant
        .archive()
        .snapshot()
        .expect("taken")
        .pending_of("T", None, 9)
        .expect("read");
    assert_eq!((pending.len(), pending[0].intended), (1, true));
}

#[test]
fn an_answer_that_never_comes_does_not_keep_a_host_from_stopping() {
    let server = Server::start();
    server.then(Whim::Sleep(Duration::from_millis(1200)));
    let plant = Plant::new(&server);
    plant.put("1.csv", "SN-1");
    plant.run_until(|| !server.books().keys.is_empty());
    assert_eq!((plant.waiting(), plant.names("in").len()), (1, 0));
}
