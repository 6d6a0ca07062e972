//! The live screen: frames as they come, and keys.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flow::WorstBy;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::Feed;
use super::screen::{Screen, without_colours};
use crate::frame::Frame;

/// How often it is looked for frames, keys and signals.
const TICK: Duration = Duration::from_millis(100);

/// Frames that wait while the terminal takes nothing; later ones are left out then.
const WAITING: usize = 4;

/// Shows what comes from `feed` until that ends, or whoever watches does.
///
/// # Errors
/// When the terminal cannot be used, or what comes is not understood.
pub(super) fn watch(feed: Feed) -> anyhow::Result<()> {
    let instance = feed.instance.clone();
    if show(feed)? == End::Instance {
        writeln!(io::stdout(), "{instance} has ended").context("cannot write to standard output")?;
    }
    Ok(())
}

/// Who ended it.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Instance,
    Watcher,
}

/// Gives the terminal back as it was, however it ends.
struct Restores;

impl Drop for Restores {
    fn drop(&mut self) {
        // A panic has done so before it said what it is about.
        if !thread::panicking() {
            // There is nothing left to do about it.
            let _ = ratatui::try_restore();
        }
    }
}

fn show(feed: Feed) -> anyhow::Result<End> {
    let killed = Arc::new(AtomicBool::new(false));
    // Not SIGHUP, which ends the program at once: there is no terminal to give back then, and reading one that is gone
    // never returns.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&killed)).context("cannot catch signals")?;
    }
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut screen = Screen::new(feed.instance.clone());
    let frames = receive(feed)?;
    let _restores = Restores;
    let mut terminal = ratatui::try_init().context("cannot use this terminal")?;
    while !killed.load(Relaxed) {
        match frames.try_recv() {
            Ok(frame) => screen.frame = Some(frame?),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(End::Instance),
        }
        let drawn = terminal.draw(|frame| {
            frame.render_widget(&screen, frame.area());
            if !colours {
                without_colours(frame.buffer_mut());
            }
        });
        drawn.context("cannot draw")?;
        if event::poll(TICK).context("cannot read keys")?
            && let Event::Key(key) = event::read().context("cannot read keys")?
        {
            match wish(key) {
                Some(Wish::End) => return Ok(End::Watcher),
                Some(Wish::Worst(by)) => screen.by = by,
                None => {}
            }
        }
    }
    Ok(End::Watcher)
}

/// Reads `feed` on a thread of its own.
fn receive(mut feed: Feed) -> anyhow::Result<Receiver<anyhow::Result<Frame>>> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::Builder::new().name("feed".into()).spawn(move || {
        while let Some(frame) = feed.frame() {
            // An instance drops who does not read, so nothing may hold this up.
            let _ = sender.try_send(frame);
        }
    })?;
    Ok(receiver)
}

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    End,
    Worst(WorstBy),
}

fn wish(key: KeyEvent) -> Option<Wish> {
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::End),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::End),
        KeyCode::Char('n') => Some(Wish::Worst(WorstBy::NetworkRtt)),
        KeyCode::Char('s') => Some(Wish::Worst(WorstBy::ServerDelay)),
        KeyCode::Char('l') => Some(Wish::Worst(WorstBy::Loss)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_screen_says() {
        let plain = |key: char| wish(KeyCode::Char(key).into());
        assert_eq!(plain('n'), Some(Wish::Worst(WorstBy::NetworkRtt)));
        assert_eq!(plain('s'), Some(Wish::Worst(WorstBy::ServerDelay)));
        assert_eq!(plain('l'), Some(Wish::Worst(WorstBy::Loss)));
        assert_eq!((plain('q'), wish(KeyCode::Esc.into())), (Some(Wish::End), Some(Wish::End)));
        assert_eq!(wish(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Wish::End));
        assert_eq!((plain('c'), plain('x')), (None, None));
    }
}
