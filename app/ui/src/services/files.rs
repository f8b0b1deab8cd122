//! Text files that the user chooses or drops.

use js_sys::Uint8Array;
use leptos::prelude::event_target;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DragEvent, Event, FileList, HtmlInputElement};

/// Files of an input, which then forgets them: the same one can be chosen again.
pub(crate) async fn chosen(event: Event, limit: usize) -> Vec<(String, String)> {
    let input = event_target::<HtmlInputElement>(&event);
    let texts = texts(input.files(), limit).await;
    input.set_value("");
    texts
}

/// Files of an input, as they are.
pub(crate) fn list(event: &Event) -> Option<FileList> {
    event_target::<HtmlInputElement>(event).files()
}

/// Files of a drop; none when something else was dropped.
pub(crate) fn dropped(event: &DragEvent) -> Option<FileList> {
    event.data_transfer().and_then(|data| data.files()).filter(|files| files.length() > 0)
}

/// Name and text of each file. A longer file is cut one byte beyond `limit`, so that its reader can refuse it.
pub(crate) async fn texts(files: Option<FileList>, limit: usize) -> Vec<(String, String)> {
    let Some(files) = files else { return Vec::new() };
    let mut out = Vec::new();
    for file in (0..files.length()).filter_map(|at| files.get(at)) {
        let Ok(head) = file.slice_with_f64_and_f64(0.0, limit as f64 + 1.0) else { continue };
        let text = JsFuture::from(head.text()).await.ok().and_then(|text| text.as_string());
        out.extend(text.map(|text| (file.name(), text)));
    }
    out
}

/// Bytes of a piece: large enough to be quick, small enough to be told how far it is.
const PIECE: f64 = 4e6;

/// A piece of the files.
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// Whether its file ends with it.
    pub(crate) ends_file: bool,
    /// Whether it is the last of all.
    pub(crate) ends: bool,
}

/// Files read piece by piece, never whole.
pub(crate) struct Pieces {
    files: FileList,
    at: u32,
    offset: f64,
}

impl Pieces {
    /// Before the first piece; none without a file.
    pub(crate) fn new(files: FileList) -> Option<Self> {
        (files.length() > 0).then_some(Self { files, at: 0, offset: 0.0 })
    }

    /// The next piece, or why the browser cannot read it.
    pub(crate) async fn next(&mut self) -> Result<Piece, String> {
        let file = self.files.get(self.at).ok_or("there are no more files")?;
        let to = (self.offset + PIECE).min(file.size());
        let slice = file.slice_with_f64_and_f64(self.offset, to).map_err(|_| file.name())?;
        let buffer = JsFuture::from(slice.array_buffer()).await.map_err(|_| file.name())?;
        let ends_file = to >= file.size();
        if ends_file {
            (self.at, self.offset) = (self.at + 1, 0.0);
        } else {
            self.offset = to;
        }
        let ends = self.at >= self.files.length();
        Ok(Piece { bytes: Uint8Array::new(&buffer).to_vec(), ends_file, ends })
    }
}
