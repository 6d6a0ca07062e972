//! One connection: a request that is read, an answer that is written, and an end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a client has for everything: request and answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest head of a request, in octets.
const MAX_HEAD: usize = 8_192;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    method: String,
    /// Without its query.
    pub(super) path: String,
    pub(super) accept: Option<String>,
}

/// What it gets.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// A text for people.
    pub(super) fn text(status: &'static str, body: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() }
    }
}

/// A client, as long as there is patience with it.
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Instant,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, deadline: Instant::now() + PATIENCE }
    }

    /// Answers the one request of this connection.
    pub(super) fn serve(mut self, answer: impl FnOnce(&Request) -> Answer) -> io::Result<()> {
        let Some(request) = self.request()? else {
            return self.write(&Answer::text("400 Bad Request", "this is no HTTP request\n"), true);
        };
        match request.method.as_str() {
            "GET" => self.write(&answer(&request), true),
            "HEAD" => self.write(&answer(&request), false),
            _ => self.write(&Answer::text("405 Method Not Allowed", "GET and HEAD are all there is\n"), true),
        }
    }

    /// The request; `None` if it is none, or too long.
    fn request(&mut self) -> io::Result<Option<Request>> {
        let mut head = [0; MAX_HEAD];
        let mut filled = 0;
        while filled < MAX_HEAD {
            match self.read(&mut head[filled..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                more => filled += more,
            }
            match parse(&head[..filled]) {
                Ok(None) => {}
                Ok(request) => return Ok(request),
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    fn write(&mut self, answer: &Answer, with_body: bool) -> io::Result<()> {
        let Answer { status, content_type, body } = answer;
        let mut octets = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nAllow: GET, HEAD\r\n\
             Vary: Accept\r\nConnection: close\r\n\r\n",
            body.len()
        );
        if with_body {
            octets.push_str(body);
        }
        self.write_all(octets.as_bytes())
    }

    /// What is left of our patience.
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Connection {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(octets)
    }
}

impl Write for Connection {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The request whose whole head is in `octets`; `None` if more must come.
fn parse(octets: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(octets)?.is_partial() {
        return Ok(None);
    }
    let target = request.path.unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _query)| path);
    let accepts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept"));
    // Several headers of a name are one with commas.
    let accepts: Vec<_> = accepts.map(|header| String::from_utf8_lossy(header.value)).collect();
    Ok(Some(Request {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        accept: (!accepts.is_empty()).then(|| accepts.join(",")),
    }))
}
