//! What pages and other sites are told of a broadcast, and under which addresses it is found.

use broadcast::{BroadcastId, Resolution, State};
use http::HeaderMap;
use metadata::{Broadcasts, MetadataError};

/// How this installation is called where it names itself.
pub(super) const NAME: &str = "Headwater";
/// The shape of a picture that is not known yet.
const USUAL: Size = Size { width: 16, height: 9 };

/// What the pages are made from.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) broadcasts: Broadcasts,
    /// Where viewers reach this installation; without it, what their requests say.
    pub(crate) public_url: Option<String>,
}

/// In pixels, or the proportion of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A broadcast as others are to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) base: String,
    pub(super) id: BroadcastId,
    /// May be empty, and may be anything.
    pub(super) title: String,
    /// The shape of its picture.
    pub(super) shape: Size,
    /// Whether there is a picture of it.
    pub(super) has_poster: bool,
    pub(super) state: State,
}

impl Site {
    /// How whoever sent this request reaches us: `https://live.example.org`.
    pub(super) fn base_url(&self, request: &HeaderMap) -> String {
        let given = self.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        given.unwrap_or_else(|| service::base_url(request))
    }

    /// Whom an answer with addresses is for, as Cache-Control says it: without a public address they are what one request
    /// says of itself, which a cache must not tell others.
    pub(super) fn shared_by(&self) -> &'static str {
        if self.public_url.is_some() { "public" } else { "private" }
    }

    pub(super) async fn shown(&self, id: BroadcastId, request: &HeaderMap) -> Result<Shown, MetadataError> {
        let followed = self.broadcasts.get(id).await?;
        let broadcast = followed.read();
        let pictures = broadcast.renditions().iter().filter_map(|rendition| rendition.latest_format()?.resolution);
        let largest = pictures.max_by_key(|Resolution { width, height }| u64::from(*width) * u64::from(*height));
        let largest = largest.filter(|Resolution { width, height }| *width > 0 && *height > 0);
        Ok(Shown {
            base: self.base_url(request),
            id,
            title: broadcast.opened().title.trim().to_owned(),
            shape: largest.map_or(USUAL, |Resolution { width, height }| Size { width, height }),
            has_poster: largest.is_some(),
            state: broadcast.state(followed.now()),
        })
    }
}

impl Shown {
    pub(super) fn page_url(&self) -> String {
        format!("{}/watch/{}", self.base, self.id)
    }

    pub(super) fn embed_url(&self) -> String {
        format!("{}/embed/{}", self.base, self.id)
    }

    pub(super) fn poster_url(&self, width: u32) -> String {
        format!("{}/hls/{}/poster.jpg?width={width}", self.base, self.id)
    }

    /// How large that is: pictures are not made larger than they are.
    pub(super) fn poster_size(&self, width: u32) -> Size {
        self.shape.within(width.min(self.shape.width), u32::MAX)
    }

    /// How it stands, in words.
    pub(super) fn description(&self) -> &'static str {
        match self.state {
            State::Created => "This broadcast has not started yet.",
            State::Live => "This broadcast is live.",
            State::Interrupted { .. } => "This broadcast is interrupted at the moment.",
            State::Paused { .. } => "This broadcast is paused at the moment.",
            State::Ended | State::Complete => "This broadcast has ended.",
        }
    }

    /// What to call it.
    pub(super) fn name(&self) -> &str {
        if self.title.is_empty() { "Live video" } else { &self.title }
    }
}

impl Size {
    /// The largest of this shape that is no wider and no higher, and at least a pixel.
    pub(super) fn within(self, width_max: u32, height_max: u32) -> Self {
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let (width_max, height_max) = (u64::from(width_max.max(1)), u64::from(height_max.max(1)));
        let fits_width = width * height_max >= height * width_max;
        let (width, height) = match fits_width {
            true => (width_max, (height * width_max + width / 2) / width),
            false => ((width * height_max + height / 2) / height, height_max),
        };
        let pixels = |length: u64| u32::try_from(length).unwrap_or(u32::MAX).max(1);
        Self { width: pixels(width), height: pixels(height) }
    }
}

/// Text as it stands in HTML and XML, in an element or in a quoted attribute. What XML has no way to say is left out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML 1.0, 2.2.
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape_within_the_bounds() {
        let check = |shape: (u32, u32), max: (u32, u32), expected: (u32, u32)| {
            let within = Size { width: shape.0, height: shape.1 }.within(max.0, max.1);
            assert_eq!((within.width, within.height), expected, "{shape:?} within {max:?}");
        };
        check((16, 9), (640, 640), (640, 360));
        check((1080, 1920), (640, 640), (360, 640));
        check((1920, 1080), (320, u32::MAX), (320, 180));
        check((1920, 1080), (u32::MAX, 400), (711, 400));
        check((16, 9), (1000, 100), (178, 100));
        check((16, 9), (1, 1), (1, 1));
        check((16, 9), (0, 0), (1, 1));
        check((1, 100_000), (640, 640), (1, 640));
        check((u32::MAX, 1), (u32::MAX, u32::MAX), (u32::MAX, 1));
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<b a=\"1\" b='2'>&amp;\u{0}\u{1f}\t😀"),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;amp;\t😀"
        );
    }
}
