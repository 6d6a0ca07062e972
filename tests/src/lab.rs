//! The lab in containers, as `docker/rig` brings it up and takes it down.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::program::{finish, text_of};

const RIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/rig");

/// What Docker calls everything of the lab.
const LABEL: &str = "label=com.docker.compose.project=pdmline-lab";

/// How long an edge may take to be well again.
const PATIENCE: Duration = Duration::from_secs(60);

/// `docker/rig` with these arguments.
#[must_use]
pub fn rig(arguments: &[&str]) -> Command {
    let mut command = Command::new(RIG);
    command.args(arguments);
    command
}

/// The lab while it is up. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    _private: (),
}

impl Lab {
    /// Brings it up, and returns when packets pass.
    ///
    /// # Errors
    ///
    /// What the rig said, if that did not succeed.
    pub fn up(arguments: &[&str]) -> Result<(Self, String)> {
        let said = text_of(rig(&["up"]).args(arguments))?;
        Ok((Self { _private: () }, said))
    }

    /// One of its containers.
    ///
    /// # Errors
    ///
    /// If there is none of this name.
    pub fn container(&self, service: &str) -> Result<Container> {
        let filter = format!("label=com.docker.compose.service={service}");
        let ids =
            text_of(&mut docker(&["container", "ls", "--quiet", "--filter", LABEL, "--filter", &filter]))?;
        ensure!(ids.lines().count() == 1, "the lab has {} containers {service}", ids.lines().count());
        Ok(Container { id: ids.trim().to_owned() })
    }

    /// Takes it down, as its user would.
    ///
    /// # Errors
    ///
    /// If the rig cannot, or leaves something behind.
    pub fn down(self) -> Result<()> {
        finish(&mut rig(&["down"]))?;
        let left = leftovers()?;
        ensure!(left.is_empty(), "the lab left behind: {left:?}");
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Down already, unless the test failed in between.
        let _ = rig(&["down"]).output();
    }
}

/// Everything of the lab that there is: containers, networks, volumes.
///
/// # Errors
///
/// If Docker does not answer.
pub fn leftovers() -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (kind, format) in [("container", "{{.Names}}"), ("network", "{{.Name}}"), ("volume", "{{.Name}}")] {
        let mut list = docker(&[kind, "ls", "--filter", LABEL, "--format", format]);
        if kind == "container" {
            list.arg("--all");
        }
        left.extend(text_of(&mut list)?.lines().map(|name| format!("{kind} {name}")));
    }
    Ok(left)
}

/// A container of the lab.
#[derive(Clone, Debug)]
pub struct Container {
    id: String,
}

impl Container {
    /// A program of this machine's, in the container's network.
    ///
    /// # Errors
    ///
    /// If the container does not run.
    pub fn in_its_network(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.inspect("{{.State.Pid}}")?)).arg(program);
        Ok(command)
    }

    /// Starts a program of the container's, and reads what it says later.
    ///
    /// # Errors
    ///
    /// If there is no Docker.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        Ok(docker(&["exec", &self.id])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?)
    }

    /// Ends it as a crash would, and starts it again; returns how long it took until it was well.
    ///
    /// # Errors
    ///
    /// If it is not well in the end.
    pub fn kill_and_restart(&self) -> Result<Duration> {
        finish(&mut docker(&["kill", &self.id]))?;
        let start = Instant::now();
        finish(&mut docker(&["start", &self.id]))?;
        while self.inspect("{{.State.Health.Status}}")? != "healthy" {
            ensure!(start.elapsed() < PATIENCE, "it does not get well: {}", self.logs()?);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(start.elapsed())
    }

    /// What it wrote to its terminal.
    ///
    /// # Errors
    ///
    /// If there is no such container.
    pub fn logs(&self) -> Result<String> {
        let output = finish(&mut docker(&["logs", &self.id]))?;
        Ok([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
    }

    fn inspect(&self, format: &str) -> Result<String> {
        Ok(text_of(&mut docker(&["inspect", "--format", format, &self.id]))?.trim().to_owned())
    }
}

/// `docker` with these arguments.
#[must_use]
pub fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}
