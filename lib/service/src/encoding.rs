//! Whether an answer may be compressed: the Accept-Encoding header (RFC 9110, 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// Whether gzip is welcome, and not less than no coding at all. Without the header it is not.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut wishes = Wishes::default();
    for list in headers.get_all(ACCEPT_ENCODING) {
        list.to_str().unwrap_or_default().split(',').for_each(|item| wishes.add(item));
    }
    let gzip = wishes.gzip.or(wishes.any).unwrap_or(0);
    // What is not mentioned is acceptable without a preference: anything asked for comes before it.
    let identity = wishes.identity.unwrap_or(0);
    gzip > 0 && gzip >= identity
}

/// The weights given, in thousandths.
#[derive(Default)]
struct Wishes {
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Wishes {
    fn add(&mut self, item: &str) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let q = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let Some(weight) = q.map_or(Some(1000), thousandths) else { return };
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            self.gzip = Some(weight);
        } else if coding.eq_ignore_ascii_case("identity") {
            self.identity = Some(weight);
        } else if coding == "*" {
            self.any = Some(weight);
        }
    }
}

/// `qvalue` of RFC 9110, 12.4.2: 0 to 1 with up to three digits after the point.
fn thousandths(q: &str) -> Option<u16> {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) || !matches!(whole, "0" | "1") {
        return None;
    }
    let weight = whole.parse::<u16>().ok()? * 1000 + format!("{fraction:0<3}").parse::<u16>().ok()?;
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_chosen_when_it_is_welcome() {
        let accepts =
            |list: &str| accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(list).unwrap())]));
        for list in [
            "gzip",
            "GZip",
            "x-gzip",
            "gzip, deflate, br, zstd",
            "br;q=1.0, gzip;q=0.8, *;q=0.1",
            "*",
            "gzip ; q=0.001",
            "identity;q=0.5, gzip;q=0.5",
            "gzip;q=1.000",
        ] {
            assert!(accepts(list), "{list}");
        }
        for list in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "*, gzip;q=0",
            "identity, gzip;q=0.5",
            "gzipped",
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=x",
        ] {
            assert!(!accepts(list), "{list}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
        let mut headers = HeaderMap::new();
        for coding in ["br", "gzip"] {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(coding));
        }
        assert!(accepts_gzip(&headers));
    }
}
