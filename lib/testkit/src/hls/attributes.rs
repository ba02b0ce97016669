//! Attribute lists, decimal numbers and dates (RFC 8216bis, 4.2), read strictly.

use std::collections::BTreeMap;

/// An attribute list: names to values as written, quotes included.
pub(super) fn attributes(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=').ok_or_else(|| format!("no '=' in {rest:?}"))?;
        let named = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || !name.bytes().all(named) {
            return Err(format!("{name:?} is no attribute name"));
        }
        let len = match after.strip_prefix('"') {
            Some(quoted) => quoted.find('"').ok_or("a quote is not closed")? + 2,
            None => after.find(',').unwrap_or(after.len()),
        };
        let (value, after) = after.split_at(len);
        if value.is_empty() || found.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{name} is empty or stands twice"));
        }
        match after.strip_prefix(',') {
            Some(following) => rest = following,
            None if after.is_empty() => return Ok(found),
            None => return Err(format!("{after:?} follows {name}")),
        }
    }
}

/// What stands between the quotes.
pub(super) fn unquoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// A decimal integer without sign or leading zeros.
pub(super) fn integer(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits && (text == "0" || !text.starts_with('0')))
}

/// Decimal seconds, as microseconds. At most six decimals.
pub(super) fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit());
    let part: u64 = format!("{part:0<6}").parse().ok().filter(|_| digits)?;
    integer(whole)?.checked_mul(1_000_000)?.checked_add(part)
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ`, as milliseconds since 1970. The year is 1970 or later.
pub(super) fn date_time(text: &str) -> Option<i64> {
    let shape = "dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(found, wanted): (u8, u8)| if wanted == b'd' { found.is_ascii_digit() } else { found == wanted };
    if text.len() != shape.len() || !text.bytes().zip(shape.bytes()).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    let valid = year >= 1970 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    let days = years + months + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(date_time("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(date_time("2000-02-29T00:00:00.000Z"), Some(951_782_400_000));
        assert_eq!(date_time("2026-09-21T14:13:20.123Z"), Some(1_790_000_000_123));
        for text in ["", "2026-09-21T14:13:20Z", "2026-02-29T00:00:00.000Z", "2026-09-21 14:13:20.123Z"] {
            assert_eq!(date_time(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_strictly() {
        assert_eq!(micros("2.002"), Some(2_002_000));
        assert_eq!(micros("2"), Some(2_000_000));
        for text in ["", ".5", "2.", "02.0", "-1.0", "1e3", "2.0000001"] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    #[test]
    fn attribute_lists_are_read_strictly() {
        let list = attributes("ID=\"a,b\",X=1.5").expect("a list");
        assert_eq!((list["ID"].as_str(), list["X"].as_str()), ("\"a,b\"", "1.5"));
        for text in ["", "ID", "id=1", "ID=1,ID=2", "ID=\"a", "ID=\"a\"b", "ID=1,"] {
            assert!(attributes(text).is_err(), "{text}");
        }
    }
}
