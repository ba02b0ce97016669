//! The Multivariant Playlist of a broadcast (RFC 8216bis, 4.4.6): its renditions, measured.

use std::fmt::Write;

use crate::broadcast::{Broadcast, Rendition, State};
use crate::generation::Generation;
use crate::segment::Format;
use crate::time::StoreTime;
use crate::views::{Extent, View, ViewError};

/// The group that separate audio renditions form.
const AUDIO_GROUP: &str = "audio";
/// The group of the captions that stand in the pictures.
const CAPTIONS_GROUP: &str = "captions";

/// One variant stream about to be listed.
struct Variant<'a> {
    rendition: &'a Rendition,
    format: &'a Format,
}

impl Variant<'_> {
    fn has_video(&self) -> bool {
        self.format.resolution.is_some()
    }

    fn has_audio(&self) -> bool {
        let audio = ["mp4a", "opus", "Opus", "ac-3", "ec-3", "fLaC", "flac", "mp3"];
        self.format.codecs.split(',').any(|codec| audio.iter().any(|name| codec.trim().starts_with(name)))
    }
}

impl Broadcast {
    /// The view that a viewer who names none is given: live while it lasts, then the recording; what there is of it,
    /// in the order in which it was seen, until it is complete.
    pub fn default_view(&self, now: StoreTime) -> View {
        match self.state(now) {
            State::Complete => View::Vod,
            State::Ended => View::Dvr,
            _ => View::Live,
        }
    }

    /// The Multivariant Playlist that leads to `view` of each rendition of which there is one. A playlist that leads to
    /// nothing but errors makes players give up: then there is none.
    pub fn multivariant(&self, view: View, now: StoreTime) -> Result<String, ViewError> {
        let look = self.look(now);
        let begun = self.renditions().iter().enumerate().filter(|(index, _)| self.has_view(*index, view, &look));
        let with_format = |(_, rendition)| Some(Variant { rendition, format: rendition_format(rendition)? });
        let variants: Vec<Variant<'_>> = begun.filter_map(with_format).collect();
        if variants.is_empty() {
            return Err(self.no_view(view, now));
        }
        let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
        let demuxed = variants.iter().any(|variant| variant.has_video() && !variant.has_audio());
        let (audio, mut streams): (Vec<_>, Vec<_>) = variants.iter().partition(|v| demuxed && !v.has_video());
        let address = Address { view, generation: self.generation() };
        push_audio_group(&mut out, &audio, &address);
        push_captions_group(&mut out, &streams);
        streams.sort_by_key(|variant| std::cmp::Reverse(variant.rendition.peak_bits_per_s()));
        for variant in streams {
            push_stream(&mut out, variant, &audio, &address);
        }
        Ok(out)
    }

    /// Why there is no such playlist of any rendition.
    fn no_view(&self, view: View, now: StoreTime) -> ViewError {
        let why_not = |rendition: &Rendition| self.view(rendition.name(), view, Extent::Delta, now).err();
        self.renditions().iter().filter_map(why_not).next_back().unwrap_or(ViewError::NotStarted)
    }
}

/// The format of what was stored last.
fn rendition_format(rendition: &Rendition) -> Option<&Format> {
    let last = rendition.segments().next_back()?;
    rendition.format(last.format)
}

fn push_audio_group(out: &mut String, audio: &[&Variant<'_>], address: &Address) {
    for (index, variant) in audio.iter().enumerate() {
        let name = variant.rendition.name();
        let default = if index == 0 { "YES" } else { "NO" };
        let uri = address.of(variant);
        let _ = writeln!(
            out,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{AUDIO_GROUP}\",NAME=\"{name}\",DEFAULT={default},AUTOSELECT=YES,URI=\"{uri}\""
        );
    }
}

/// Nothing is said where no captions have been seen: they may come, and NONE would say that they never do (4.4.6.2).
fn push_captions_group(out: &mut String, streams: &[&Variant<'_>]) {
    if streams.iter().any(|variant| variant.rendition.is_captioned()) {
        let _ = writeln!(
            out,
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"{CAPTIONS_GROUP}\",NAME=\"CC1\",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=\"CC1\""
        );
    }
}

fn push_stream(out: &mut String, variant: &Variant<'_>, audio: &[&Variant<'_>], address: &Address) {
    let grouped = variant.has_video() && !variant.has_audio() && !audio.is_empty();
    let with_it: &[&Variant<'_>] = if grouped { audio } else { &[] };
    let highest = |rate: fn(&Rendition) -> u64| with_it.iter().map(|v| rate(v.rendition)).max().unwrap_or(0);
    let peak = variant.rendition.peak_bits_per_s() + highest(Rendition::peak_bits_per_s);
    let average = variant.rendition.average_bits_per_s() + highest(Rendition::average_bits_per_s);
    let codecs: Vec<&str> =
        std::iter::once(variant).chain(with_it.iter().copied()).map(|v| &*v.format.codecs).collect();
    let codecs = codecs.join(",");
    let _ = write!(out, "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={average}", peak.max(average));
    let _ = write!(out, ",CODECS=\"{codecs}\"");
    if let Some(resolution) = variant.format.resolution {
        let _ = write!(out, ",RESOLUTION={resolution}");
    }
    if let Some(rate) = variant.format.frame_rate_milli {
        let _ = write!(out, ",FRAME-RATE={:.3}", f64::from(rate) / 1000.0);
    }
    if grouped {
        let _ = write!(out, ",AUDIO=\"{AUDIO_GROUP}\"");
    }
    if variant.rendition.is_captioned() {
        let _ = write!(out, ",CLOSED-CAPTIONS=\"{CAPTIONS_GROUP}\"");
    }
    let _ = writeln!(out, "\n{}", address.of(variant));
}

/// Where the view is that is listed.
struct Address {
    view: View,
    generation: Generation,
}

impl Address {
    fn of(&self, variant: &Variant<'_>) -> String {
        let (name, generation) = (variant.rendition.name(), self.generation);
        match self.view {
            View::Live => format!("{name}/live{generation}.m3u8"),
            View::Dvr => format!("{name}/dvr{generation}.m3u8"),
            View::CatchUp { from } => format!("{name}/catchup.m3u8?from={from}"),
            View::Vod => format!("{name}/vod.m3u8"),
        }
    }
}
