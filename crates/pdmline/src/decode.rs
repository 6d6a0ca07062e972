//! `pdmline decode`: what the PDM options of a capture say.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use indicatif::ProgressBar;

use crate::capture::{Reader, Record};
use crate::progress;
use packet::MarkedPacket;

mod packet;

/// Print one line per packet of a capture that carries the PDM option
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Capture to read: pcap or pcapng
    file: PathBuf,
    /// Print JSON lines, with the option's fields as they are on the wire
    #[arg(long)]
    json: bool,
}

/// Decodes the capture onto standard output. A reader that goes away ends it without an error.
///
/// # Errors
/// When the capture cannot be read to its end, after all before that was printed; when standard output cannot be written.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let reader = Reader::open(&args.file)?;
    let stdout = io::stdout().lock();
    // A bar would be drawn over the lines.
    let bar = if stdout.is_terminal() { ProgressBar::hidden() } else { progress::bar(reader.len()) };
    let mut out = BufWriter::new(stdout);
    let read = print_all(reader, args.json, &bar, &mut out);
    match read.and_then(|read| out.flush().map(|()| read)) {
        Ok(read) => read.map_err(Into::into),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

/// Prints the marked packets. The inner result is the capture's, the outer one the output's.
fn print_all(
    mut reader: Reader,
    json: bool,
    bar: &ProgressBar,
    out: &mut impl Write,
) -> io::Result<Result<(), crate::capture::Error>> {
    let mut number = 0;
    while let Some(record) = reader.next() {
        let record = match record {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        number += 1;
        bar.set_position(reader.position());
        print(number, &record, json, out)?;
    }
    Ok(Ok(()))
}

fn print(number: u64, record: &Record<Vec<u8>>, json: bool, out: &mut impl Write) -> io::Result<()> {
    match MarkedPacket::find(number, record) {
        Some(packet) if json => {
            serde_json::to_writer(&mut *out, &packet)?;
            writeln!(out)
        }
        Some(packet) => writeln!(out, "{packet}"),
        None => Ok(()),
    }
}
