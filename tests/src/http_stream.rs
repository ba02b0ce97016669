//! The requests in what a client wrote to one connection. For trusted senders: what cannot be read is a failed test.

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// With the chunks put together.
    pub body: Vec<u8>,
    /// Whether all of it was written before the stream ended.
    pub complete: bool,
}

impl Request {
    /// A header's value, or an empty one.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Every request that has begun, in order.
pub fn requests(stream: &[u8]) -> Vec<Request> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(head_len) = find(&stream[at..], b"\r\n\r\n") {
        let mut request = head(&stream[at..at + head_len]);
        at += head_len + 4;
        let left = &stream[at..];
        let (body, len, complete) = if request.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            chunked(left)
        } else {
            let len: usize = request.header("content-length").parse().unwrap_or(0);
            (left[..len.min(left.len())].to_vec(), len.min(left.len()), left.len() >= len)
        };
        at += len;
        (request.body, request.complete) = (body, complete);
        found.push(request);
        if !complete {
            break;
        }
    }
    found
}

/// The final status of each answer in what a server wrote to one connection, in order; answers are framed as requests are.
pub(crate) fn statuses(stream: &[u8]) -> Vec<u16> {
    let statuses = requests(stream).into_iter().filter(|answer| answer.complete).map(|answer| answer.target);
    statuses.filter_map(|status| status.parse().ok()).filter(|status| *status >= 200).collect()
}

fn head(bytes: &[u8]) -> Request {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Request { method, target, headers: lines.map(header).collect(), body: Vec::new(), complete: false }
}

/// The body, how much of the stream it takes, and whether it is all there.
fn chunked(stream: &[u8]) -> (Vec<u8>, usize, bool) {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = find(&stream[at..], b"\r\n") {
        let size = String::from_utf8_lossy(&stream[at..at + line]).into_owned();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_else(|_| panic!("not a chunk's size: {size:?}"));
        at += line + 2;
        if stream.len() < at + size + 2 {
            body.extend_from_slice(&stream[at..stream.len().min(at + size)]);
            break;
        }
        body.extend_from_slice(&stream[at..at + size]);
        at += size + 2;
        if size == 0 {
            return (body, at, true);
        }
    }
    (body, stream.len(), false)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets, bodies and completeness of what is found.
    fn check(stream: &str, expected: &[(&str, &str, bool)]) {
        let found = requests(stream.as_bytes());
        let found: Vec<_> = found
            .iter()
            .map(|request| (request.target.as_str(), std::str::from_utf8(&request.body).unwrap(), request.complete))
            .collect();
        assert_eq!(found, expected, "{stream:?}");
    }

    #[test]
    fn bodies_are_put_together() {
        let chunks = "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        let plain = "POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy";
        let none = "GET /c HTTP/1.1\r\n\r\n";
        check(
            &format!("{chunks}{plain}{none}"),
            &[("/a", "abc0123456789", true), ("/b", "xy", true), ("/c", "", true)],
        );
    }

    #[test]
    fn what_is_cut_off_is_not_complete() {
        check("PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxy", &[("/a", "xy", false)]);
        check("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", &[("/a", "abc", false)]);
        check("PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", &[("/a", "ab", false)]);
        check("PUT /a HTTP/1.1\r\n", &[]);
    }

    #[test]
    fn interim_answers_and_those_cut_off_are_none() {
        let (interim, stored) =
            ("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}");
        let (refused, cut) = ("HTTP/1.1 409 Conflict\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{");
        assert_eq!(statuses(format!("{interim}{stored}{refused}{cut}").as_bytes()), [201, 409]);
    }
}
