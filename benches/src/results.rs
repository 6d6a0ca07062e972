//! Pages of results: what was measured, with the day, the commit and the machine.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{fs, io};

/// A page, `results/DAY-BENCH.md`.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    /// The page of `bench`, headed by `title` and what it is measured with and on.
    #[must_use]
    pub fn new(bench: &str, title: &str) -> Self {
        let day = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let day = day.split('T').next().unwrap_or_default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        let mut page =
            Self { path: folder.join(format!("{day}-{bench}.md")), text: format!("# {day}, {title}\n") };
        let commit = told_by("git", &["describe", "--always", "--dirty", "--exclude=*"]);
        page.say(format!("Commit {commit}. `cargo bench -p pdmline-benches --bench {bench}`."));
        page.say(machine().map(|(what, it_is)| format!("- {what}: {it_is}")).join("\n"));
        page
    }

    /// Adds a paragraph.
    pub fn say(&mut self, paragraph: impl Display) {
        self.text.push_str(&format!("\n{paragraph}\n"));
    }

    /// Adds a table: its first column at the left, numbers in the others.
    pub fn table<const COLUMNS: usize>(
        &mut self,
        head: [&str; COLUMNS],
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) {
        self.text.push_str(&format!("\n| {} |\n{}|\n", head.join(" | "), rule(COLUMNS)));
        for row in rows {
            self.text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
    }

    /// Where a picture beside the page goes.
    #[must_use]
    pub fn picture(&self) -> PathBuf {
        self.path.with_extension("svg")
    }

    /// Writes the page to its place and to standard output.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish(&self) -> io::Result<()> {
        fs::write(&self.path, &self.text)?;
        io::stdout().write_all(self.text.as_bytes())
    }
}

/// The line under a head of so many columns.
fn rule(columns: usize) -> String {
    format!("|---{}", "|---:".repeat(columns.saturating_sub(1)))
}

/// What the machine is.
fn machine() -> [(&'static str, String); 4] {
    let cpus = read("/proc/cpuinfo");
    let models: Vec<_> = values(&cpus, "model name").collect();
    let model = models.first().copied().unwrap_or("unknown");
    let memory = read("/proc/meminfo");
    let memory = values(&memory, "MemTotal").next().unwrap_or("unknown");
    [
        ("machine", format!("{} cores of {model}; memory {memory}; caches {}", models.len(), caches())),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        (
            "toolchain",
            format!("{}, release profile and `.cargo/config.toml`", told_by("rustc", &["--version"])),
        ),
        ("load at the start", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(", ")),
    ]
}

/// The values of a file in /proc whose lines are names and values.
fn values<'f>(file: &'f str, name: &str) -> impl Iterator<Item = &'f str> {
    let pairs = file.lines().filter_map(|line| line.split_once(':'));
    pairs.filter(move |(other, _)| other.trim() == name).map(|(_, value)| value.trim())
}

/// The first core's data caches and those that it shares.
fn caches() -> String {
    let caches = (0..).map(|index| format!("/sys/devices/system/cpu/cpu0/cache/index{index}"));
    let caches = caches.take_while(|cache| Path::new(cache).exists());
    let part = |cache: &str, part| read(&format!("{cache}/{part}")).trim().to_owned();
    let data = caches.filter(|cache| part(cache, "type") != "Instruction");
    let described = data.map(|cache| format!("L{} {}", part(&cache, "level"), part(&cache, "size")));
    described.collect::<Vec<_>>().join(", ")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a program says on standard output.
fn told_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
