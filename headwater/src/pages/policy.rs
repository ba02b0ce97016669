//! What a page may do, as its headers tell the browser: a page that somebody managed to write into must not be of use
//! to them.
//!
//! Scripts and styles come from here and are never in the page itself. Media, pictures and connections may come from
//! anywhere: segments come from other recorders and from caches, and publishers send to them. A directive that is not
//! listed falls back to `default-src 'none'`. (Content Security Policy Level 3, Permissions Policy)

use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, HeaderValue};

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// What distinguishes the pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// The encoders of a publisher are WebAssembly.
    wasm: bool,
    /// Who may show it in a frame.
    frame_ancestors: &'static str,
    permissions: &'static str,
    referrer: &'static str,
}

const NOBODY: &str = "'none'";
const NO_DEVICES: &str = "camera=(), microphone=(), display-capture=(), geolocation=(), screen-wake-lock=(), \
     payment=(), usb=(), serial=(), hid=(), midi=()";
const CAMERA: &str = "camera=(self), microphone=(self), screen-wake-lock=(self), display-capture=(), geolocation=(), \
     payment=(), usb=(), serial=(), hid=(), midi=()";
/// As far as the site around it lets it.
const PLAYS: &str = "fullscreen=(self), picture-in-picture=(self), autoplay=(self), camera=(), microphone=(), \
     display-capture=(), geolocation=(), screen-wake-lock=(), payment=(), usb=(), serial=(), hid=(), midi=()";
/// Whoever has a cache for viewers may know which site they come from, and nothing else.
const ONLY_ORIGIN: &str = "strict-origin-when-cross-origin";
const NOT_ELSEWHERE: &str = "same-origin";

impl Policy {
    pub(super) const OWNER: Self =
        Self { wasm: false, frame_ancestors: NOBODY, permissions: NO_DEVICES, referrer: NOT_ELSEWHERE };
    pub(super) const WATCH: Self = Self { permissions: PLAYS, referrer: ONLY_ORIGIN, ..Self::OWNER };
    pub(super) const EMBED: Self = Self { frame_ancestors: "*", ..Self::WATCH };
    pub(super) const PUBLISH: Self = Self { wasm: true, permissions: CAMERA, ..Self::OWNER };

    pub(super) fn headers(self) -> HeaderMap {
        let Self { permissions, referrer, .. } = self;
        let content = HeaderValue::try_from(self.content()).expect("ASCII words");
        HeaderMap::from_iter([
            (CONTENT_SECURITY_POLICY, content),
            (PERMISSIONS_POLICY, HeaderValue::from_static(permissions)),
            (REFERRER_POLICY, HeaderValue::from_static(referrer)),
        ])
    }

    fn content(self) -> String {
        let script = if self.wasm { "script-src 'self' 'wasm-unsafe-eval'" } else { "script-src 'self'" };
        [
            "default-src 'none'",
            script,
            "style-src 'self'",
            "img-src 'self' data: blob: http: https:",
            "font-src 'self'",
            "media-src 'self' data: blob: http: https:",
            "connect-src 'self' data: blob: http: https:",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            // The owner looks at a broadcast as its viewers do.
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            &format!("frame-ancestors {}", self.frame_ancestors),
        ]
        .join("; ")
    }
}
