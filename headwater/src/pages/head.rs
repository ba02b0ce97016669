//! What the head of a page tells those who do not run its scripts: search engines, chats, social networks; and its player.
//! Open Graph (ogp.me), the player card of X, oEmbed discovery (oembed.com, 4).
//!
//! It is put where the page's own title stands, so that the page needs to know nothing of it.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::site::{NAME, Shown, Size, escape};

/// How wide the picture and the player are said to be, and how high at most, in pixels.
const WIDTH: u32 = 1280;

/// What is shown as long as there is no picture, and how wide and high that is: the largest of the icons in `web/public`.
const ICON: (&str, u32) = ("/icons/512.png", 512);

/// The page with what is said of this broadcast. One without a title stays as it is.
pub(super) fn with_head(page: &str, shown: &Shown) -> String {
    let (Some(start), Some(end)) = (page.find("<title>"), page.find("</title>")) else { return page.to_owned() };
    if end < start {
        return page.to_owned();
    }
    [&page[..start], &tags(shown), &page[end + "</title>".len()..]].concat()
}

fn tags(shown: &Shown) -> String {
    let mut tags = format!("<title>{} · {NAME}</title>", escape(shown.name()));
    let (page_url, embed_url) = (shown.page_url(), shown.embed_url());
    let _ = write!(tags, "<link rel=\"canonical\" href=\"{}\">", escape(&page_url));
    for (format, media_type) in [("json", "application/json+oembed"), ("xml", "text/xml+oembed")] {
        let encoded = utf8_percent_encode(&page_url, NON_ALPHANUMERIC);
        let href = format!("{}/oembed?format={format}&url={encoded}", shown.base);
        let (href, title) = (escape(&href), escape(shown.name()));
        let _ = write!(tags, "<link rel=\"alternate\" type=\"{media_type}\" href=\"{href}\" title=\"{title}\">");
    }
    let Size { width, height } = shown.shape.within(WIDTH, WIDTH);
    let (width, height) = (width.to_string(), height.to_string());
    // Our own pages have a name for what has none in the viewer's language.
    let placeholder = if shown.title.is_empty() { " data-placeholder" } else { "" };
    let _ = write!(tags, "<meta property=\"og:title\" content=\"{}\"{placeholder}>", escape(shown.name()));
    let mut of_graph = vec![
        ("og:type", "video.other".to_owned()),
        ("og:site_name", NAME.to_owned()),
        ("og:url", page_url),
        ("og:video", embed_url.clone()),
        ("og:video:type", "text/html".to_owned()),
        ("og:video:width", width.clone()),
        ("og:video:height", height.clone()),
    ];
    if embed_url.starts_with("https:") {
        of_graph.push(("og:video:secure_url", embed_url.clone()));
    }
    let mut of_card = vec![
        ("twitter:card", "player".to_owned()),
        ("twitter:title", shown.name().to_owned()),
        ("twitter:player", embed_url),
        ("twitter:player:width", width),
        ("twitter:player:height", height),
    ];
    let (image, media_type, Size { width, height }) = if shown.has_poster {
        (shown.poster_url(WIDTH), "image/jpeg", shown.poster_size(WIDTH))
    } else {
        of_graph.push(("og:description", shown.description().to_owned()));
        of_card.push(("twitter:description", shown.description().to_owned()));
        let (path, side) = ICON;
        (format!("{}{path}", shown.base), "image/png", Size { width: side, height: side })
    };
    of_graph.extend([
        ("og:image", image.clone()),
        ("og:image:type", media_type.to_owned()),
        ("og:image:width", width.to_string()),
        ("og:image:height", height.to_string()),
    ]);
    of_card.push(("twitter:image", image));
    for (attribute, said) in [("property", of_graph), ("name", of_card)] {
        for (name, content) in said {
            let _ = write!(tags, "<meta {attribute}=\"{name}\" content=\"{}\">", escape(&content));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use broadcast::State;

    use super::*;

    fn shown(base: &str, title: &str) -> Shown {
        let id = "01kjahrq000000000000000007".parse().expect("an id");
        let shape = Size { width: 720, height: 1280 };
        Shown { base: base.to_owned(), id, title: title.to_owned(), shape, has_poster: true, state: State::Live }
    }

    const PAGE: &str = "<head><meta charset=utf-8><title>Watch</title><script src=x></script></head>";

    #[test]
    fn the_head_tells_what_there_is() {
        let page = with_head(PAGE, &shown("https://live.example", "Cup final"));
        for tag in [
            "<title>Cup final · Headwater</title>",
            "<link rel=\"canonical\" href=\"https://live.example/watch/01kjahrq000000000000000007\">",
            "<link rel=\"alternate\" type=\"application/json+oembed\" href=\"https://live.example/oembed?format=json&amp;\
             url=https%3A%2F%2Flive%2Eexample%2Fwatch%2F01kjahrq000000000000000007\" title=\"Cup final\">",
            "type=\"text/xml+oembed\"",
            "<meta property=\"og:title\" content=\"Cup final\">",
            "<meta property=\"og:type\" content=\"video.other\">",
            "<meta property=\"og:video\" content=\"https://live.example/embed/01kjahrq000000000000000007\">",
            "<meta property=\"og:video:secure_url\" content=\"https://live.example/embed/01kjahrq000000000000000007\">",
            "<meta property=\"og:video:width\" content=\"720\"><meta property=\"og:video:height\" content=\"1280\">",
            "<meta property=\"og:image\" content=\"https://live.example/hls/01kjahrq000000000000000007/poster.jpg?width=1280\">",
            "<meta name=\"twitter:card\" content=\"player\">",
            "<meta name=\"twitter:player\" content=\"https://live.example/embed/01kjahrq000000000000000007\">",
        ] {
            assert!(page.contains(tag), "{tag} in {page}");
        }
        assert!(
            page.starts_with("<head><meta charset=utf-8><title>") && page.ends_with("<script src=x></script></head>")
        );
        assert!(!page.contains("description"), "the picture says more: {page}");
        let plain = Shown { has_poster: false, state: State::Created, ..shown("http://a", "") };
        let page = with_head(PAGE, &plain);
        for tag in [
            "<meta property=\"og:image\" content=\"http://a/icons/512.png\">",
            "<meta property=\"og:image:type\" content=\"image/png\">",
            "<meta property=\"og:image:width\" content=\"512\"><meta property=\"og:image:height\" content=\"512\">",
            "<meta name=\"twitter:image\" content=\"http://a/icons/512.png\">",
            "<meta property=\"og:description\" content=\"This broadcast has not started yet.\">",
            "<meta name=\"twitter:description\" content=\"This broadcast has not started yet.\">",
        ] {
            assert!(page.contains(tag), "{tag} in {page}");
        }
        assert!(!page.contains("poster.jpg") && !page.contains("secure_url"), "{page}");
        assert!(page.contains("<title>Live video · Headwater</title>"));
        assert!(page.contains("<meta property=\"og:title\" content=\"Live video\" data-placeholder>"), "{page}");
    }

    #[test]
    fn what_is_said_cannot_become_markup() {
        let hostile = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let page = with_head(PAGE, &shown("http://a\"><script>", hostile));
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_eq!(page.matches("</title>").count(), 1, "{page}");
        assert!(!page.contains("<img"), "{page}");
        for broken in ["", "<title>", "</title><title>"] {
            assert_eq!(with_head(broken, &shown("http://a", "b")), broken);
        }
    }
}
