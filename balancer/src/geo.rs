//! Where an address is, by databases in MaxMind's format. Both schemas that are in use are read: nested, as in MaxMind's
//! own and DB-IP's files (`location.latitude`), and flat (`latitude`).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader};
use metadata::Place;
use serde::Deserialize;

/// The databases, asked one after the other: those for IPv4 and IPv6 may be two files. With none, nobody is anywhere.
#[derive(Debug, Default)]
pub struct Geo(Vec<Reader<Vec<u8>>>);

/// A file that is no such database.
#[derive(Debug, thiserror::Error)]
#[error("{} is no database in MaxMind's format", path.display())]
pub struct GeoError {
    path: PathBuf,
    source: MaxMindDbError,
}

/// What a database says of an address, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Record {
    location: Option<Location>,
    latitude: Option<Degrees>,
    longitude: Option<Degrees>,
}

#[derive(Debug, Deserialize)]
struct Location {
    latitude: Option<Degrees>,
    longitude: Option<Degrees>,
}

/// A number of the kind that the file's maker chose: the decoder converts none into another.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Degrees {
    Double(f64),
    Float(f32),
}

impl Degrees {
    fn get(self) -> f64 {
        match self {
            Self::Double(degrees) => degrees,
            Self::Float(degrees) => degrees.into(),
        }
    }
}

impl Geo {
    /// Reads the files into memory. Blocks.
    pub fn open(paths: &[PathBuf]) -> Result<Self, GeoError> {
        let open = |path: &PathBuf| {
            let reader = Reader::open_readfile(path).map_err(|source| GeoError { path: path.clone(), source })?;
            tracing::info!(path = %path.display(), kind = reader.metadata().database_type, "places of addresses");
            Ok(reader)
        };
        paths.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// The databases in a folder, `*.mmdb`; none if there is no such folder. Blocks.
    pub fn found_in(folder: &Path) -> Result<Self, GeoError> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "mmdb")).collect();
        found.sort();
        Self::open(&found)
    }

    /// Where an address is. `None` if no database knows.
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        self.0.iter().find_map(|reader| place(reader, address))
    }
}

fn place(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Place> {
    if address.is_ipv6() && reader.metadata().ip_version == 4 {
        return None;
    }
    // A record that cannot be read says nothing.
    let Record { location, latitude, longitude } = reader.lookup(address).ok()?.decode().ok()??;
    let place = |lat: Option<Degrees>, lon: Option<Degrees>| Place::new(lat?.get(), lon?.get());
    let nested = location.and_then(|location| place(location.latitude, location.longitude));
    nested.or_else(|| place(latitude, longitude))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of the format's data section (MaxMind DB file format specification 2.0).
    enum Value {
        Map(Vec<(&'static str, Value)>),
        Text(&'static str),
        Double(f64),
        Float(f32),
        Number(u16),
        Count(u32),
        Long(u64),
        Nothing,
    }

    use Value::{Count, Double, Float, Long, Map, Nothing, Number, Text};

    impl Value {
        fn write(&self, out: &mut Vec<u8>) {
            let control = |kind: u8, len: usize| (kind << 5) | u8::try_from(len).unwrap();
            match self {
                Text(text) => {
                    out.push(control(2, text.len()));
                    out.extend(text.as_bytes());
                }
                Double(number) => {
                    out.push(control(3, 8));
                    out.extend(number.to_be_bytes());
                }
                Number(number) => {
                    out.push(control(5, 2));
                    out.extend(number.to_be_bytes());
                }
                Count(number) => {
                    out.push(control(6, 4));
                    out.extend(number.to_be_bytes());
                }
                Long(number) => {
                    out.extend([control(0, 8), 2]);
                    out.extend(number.to_be_bytes());
                }
                // An empty list.
                Nothing => out.extend([control(0, 0), 4]),
                Map(entries) => {
                    out.push(control(7, entries.len()));
                    for (key, value) in entries {
                        Text(key).write(out);
                        value.write(out);
                    }
                }
                Float(number) => {
                    // Extended kinds are 7 more than is written: this is 15.
                    out.extend([control(0, 4), 8]);
                    out.extend(number.to_be_bytes());
                }
            }
        }
    }

    /// A database of IPv4 in which addresses from 128.0.0.0 on have this record, and others none.
    fn database(record: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        // One node: nothing on the left, and on the right the first record, which is after 16 bytes of zeros.
        out.extend([0, 0, 1, 0, 0, 1 + 16]);
        out.extend([0; 16]);
        record.write(&mut out);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let metadata = Map(vec![
            ("binary_format_major_version", Number(2)),
            ("binary_format_minor_version", Number(0)),
            ("build_epoch", Long(1)),
            ("database_type", Text("test")),
            ("description", Map(vec![])),
            ("ip_version", Number(4)),
            ("languages", Nothing),
            ("node_count", Count(1)),
            ("record_size", Number(24)),
        ]);
        metadata.write(&mut out);
        out
    }

    fn geo(records: &[Value]) -> Geo {
        let dir = tempfile::tempdir().unwrap();
        for (n, record) in records.iter().enumerate() {
            std::fs::write(dir.path().join(format!("{n}.mmdb")), database(record)).unwrap();
        }
        std::fs::write(dir.path().join("LICENSE"), "not a database").unwrap();
        Geo::found_in(dir.path()).unwrap()
    }

    fn asked(geo: &Geo, address: &str) -> Option<(f64, f64)> {
        geo.place(address.parse().unwrap()).map(|place| (place.lat, place.lon))
    }

    #[test]
    fn both_schemas_are_read() {
        let nested = Map(vec![
            ("country", Map(vec![("iso_code", Text("CH"))])),
            ("location", Map(vec![("latitude", Double(47.5)), ("longitude", Double(8.5))])),
        ]);
        let flat = Map(vec![("country_code", Text("JP")), ("latitude", Float(35.5)), ("longitude", Float(139.5))]);
        for (record, expected) in [(nested, (47.5, 8.5)), (flat, (35.5, 139.5))] {
            let geo = geo(&[record]);
            assert_eq!(asked(&geo, "192.0.2.1"), Some(expected));
            assert_eq!((asked(&geo, "10.0.0.1"), asked(&geo, "2001:db8::1")), (None, None));
        }
    }

    #[test]
    fn who_has_no_place_is_nowhere() {
        let country = || Map(vec![("country_code", Text("CH"))]);
        assert_eq!(asked(&geo(&[country()]), "192.0.2.1"), None);
        let beyond = Map(vec![("latitude", Double(123.0)), ("longitude", Double(0.0))]);
        assert_eq!(asked(&geo(&[beyond]), "192.0.2.1"), None);
        let after = Map(vec![("latitude", Double(1.0)), ("longitude", Double(2.0))]);
        assert_eq!(asked(&geo(&[country(), after]), "192.0.2.1"), Some((1.0, 2.0)), "the next is asked");
        assert_eq!(asked(&Geo::default(), "192.0.2.1"), None);
        assert_eq!(asked(&Geo::found_in(Path::new("/no/such/folder")).unwrap(), "192.0.2.1"), None);
    }

    #[test]
    fn another_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.mmdb");
        std::fs::write(&path, "not a database").unwrap();
        let error = Geo::open(&[path]).unwrap_err();
        assert!(error.to_string().contains("other.mmdb is no database"), "{error}");
    }
}
