//! Names of layouts, such as `d5.tp2.b1-6.tp1.b64` or `a8.tp4.b80.c4000-2.e1.b4`, and what they name.
//!
//! A name keeps what can be decided about a deployment: workers of the whole cluster, parallel sizes above one,
//! batches and the prefill tokens of a mixed step. It holds no figures, so it outlives new measurements.

use crate::backend::Backend;
use crate::parallel::Parallel;
use crate::point::{EncoderPool, Layout, MemoryUse, Worker};
use crate::problem::MAX_GPUS;
use crate::scenario::Place;

/// Most requests of a batch and most tokens of a step that a name may hold.
const MAX_BATCH: u32 = 1_000_000;

/// A layout that a link points at.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointed {
    /// The layout, its memory unknown.
    pub layout: Layout,
    /// Backend and system, where the link asks for several.
    pub place: Option<Place>,
}

/// The name of a layout.
pub fn layout_name(layout: &Layout) -> String {
    let others = match layout {
        Layout::Agg { worker, ctx_tokens, .. } => format!("a{}.c{ctx_tokens}", side(worker)),
        Layout::Disagg { prefill, decode, .. } => format!("d{}-{}", side(prefill), side(decode)),
    };
    match layout.encoders() {
        Some(pool) => format!("{others}-{}.e{}.b{}", pool.count, pool.tp, pool.batch),
        None => others,
    }
}

/// What follows the name of a layout where several places are asked for, such as `.vllm.h100-sxm`.
pub fn place_suffix(place: &Place) -> String {
    format!(".{}.{}", place.backend, place.system.replace('_', "-"))
}

fn side(worker: &Worker) -> String {
    format!("{}.{}.b{}", worker.count, worker.parallel.to_string().replace(' ', "."), worker.batch)
}

/// The layout of this name; none when it is not exactly what [`layout_name`] and [`place_suffix`] write.
pub fn parse_layout(name: &str) -> Option<Pointed> {
    let mut reader = Reader(name);
    let kind = reader.one_of(&["a", "d"])?;
    let first = reader.worker()?;
    let layout = if kind == "a" {
        let ctx_tokens = reader.after(".c", MAX_BATCH)?;
        Layout::Agg { worker: first, ctx_tokens, encoders: reader.encoders().ok()? }
    } else {
        reader.word("-")?;
        let decode = reader.worker()?;
        Layout::Disagg { prefill: first, decode, encoders: reader.encoders().ok()? }
    };
    let place = match reader.0 {
        "" => None,
        _ => Some(reader.place()?),
    };
    let pointed = Pointed { layout, place };
    let suffix = pointed.place.as_ref().map_or_else(String::new, place_suffix);
    // A size of one that is spelt out, or zeros in front, are no name that was ever written.
    (layout_name(&pointed.layout) + &suffix == name).then_some(pointed)
}

/// The layout in the fragment of a link, such as `#explore:d5.tp2.b1-6.tp1.b64`; none when it points at nothing.
pub fn pointed(link: &str) -> Option<Pointed> {
    let (_, fragment) = link.trim().split_once('#')?;
    // A tab may follow the screen, and what runs today the point.
    let (screen, name) = fragment.split_once(':')?;
    let name = name.split('~').next()?;
    let is_screen = screen.starts_with(|c: char| c.is_ascii_lowercase())
        && screen.bytes().all(|byte| byte.is_ascii_lowercase() || b".-".contains(&byte));
    if is_screen { parse_layout(name) } else { None }
}

/// What is left of a name.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    fn one_of(&mut self, words: &[&'a str]) -> Option<&'a str> {
        let word = words.iter().copied().find(|word| self.0.starts_with(word))?;
        self.word(word)?;
        Some(word)
    }

    /// A number from 1 to `most`.
    fn number(&mut self, most: u32) -> Option<u32> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits.parse().ok().filter(|number| (1..=most).contains(number))
    }

    fn after(&mut self, word: &str, most: u32) -> Option<u32> {
        self.word(word)?;
        self.number(most)
    }

    fn worker(&mut self) -> Option<Worker> {
        let count = self.number(u32::MAX)?;
        let mut parallel = Parallel::dense(self.after(".tp", MAX_GPUS)?, 1, 1);
        let sizes = [
            (".pp", &mut parallel.pp),
            (".dp", &mut parallel.dp),
            (".etp", &mut parallel.moe_tp),
            (".ep", &mut parallel.moe_ep),
            (".cp", &mut parallel.cp),
        ];
        for (word, size) in sizes {
            if self.0.starts_with(word) {
                *size = self.after(word, MAX_GPUS)?;
            }
        }
        parallel.checked_gpus().filter(|&gpus| gpus <= MAX_GPUS)?;
        let batch = self.after(".b", MAX_BATCH)?;
        Some(Worker { parallel, batch, count, memory: MemoryUse::default() })
    }

    /// Encoder workers behind a dash, if there are any; an error for what is no pool.
    fn encoders(&mut self) -> Result<Option<EncoderPool>, ()> {
        if self.word("-").is_none() {
            return Ok(None);
        }
        self.pool().map(Some).ok_or(())
    }

    fn pool(&mut self) -> Option<EncoderPool> {
        let (count, tp) = (self.number(u32::MAX)?, self.after(".e", MAX_GPUS)?);
        let batch = self.after(".b", MAX_BATCH)?;
        Some(EncoderPool { tp, batch, count, memory_bytes: 0.0 })
    }

    fn place(&mut self) -> Option<Place> {
        self.word(".")?;
        let (backend, system) = self.0.split_once('.')?;
        let is_name = !system.is_empty() && system.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let backend = Backend::from_name(backend).filter(|_| is_name)?;
        Some(Place { system: system.replace('-', "_"), backend })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes() -> impl Strategy<Value = u32> {
        prop_oneof![3 => Just(1_u32), 1 => 2..=6_u32]
    }

    fn worker() -> impl Strategy<Value = Worker> {
        let parallel = (sizes(), sizes(), sizes(), sizes(), sizes(), sizes());
        (1..=u32::MAX, 1..=MAX_BATCH, parallel).prop_map(
            |(count, batch, (tp, pp, dp, moe_tp, moe_ep, cp))| {
                let parallel = Parallel { tp, pp, dp, moe_tp, moe_ep, cp };
                Worker { parallel, batch, count, memory: MemoryUse::default() }
            },
        )
    }

    fn layouts() -> impl Strategy<Value = Layout> {
        let pool = (1..=16_u32, 1..=64_u32, 1..=99_u32).prop_map(|(tp, batch, count)| EncoderPool {
            tp,
            batch,
            count,
            memory_bytes: 0.0,
        });
        let encoders = proptest::option::of(pool);
        (any::<bool>(), worker(), worker(), 1..=MAX_BATCH, encoders).prop_map(
            |(agg, first, decode, ctx_tokens, encoders)| {
                if agg {
                    Layout::Agg { worker: first, ctx_tokens, encoders }
                } else {
                    Layout::Disagg { prefill: first, decode, encoders }
                }
            },
        )
    }

    fn places() -> impl Strategy<Value = Option<Place>> {
        let system = proptest::sample::select(vec!["h100_sxm", "gb200", "rtx_pro_6000_server"]);
        let place = (proptest::sample::select(Backend::ALL.to_vec()), system)
            .prop_map(|(backend, system)| Place { system: system.to_owned(), backend });
        proptest::option::of(place)
    }

    proptest! {
        #[test]
        fn every_name_reads_back(layout in layouts(), place in places()) {
            let name = layout_name(&layout) + &place.as_ref().map_or_else(String::new, place_suffix);
            prop_assert_eq!(parse_layout(&name), Some(Pointed { layout, place }), "{}", name);
        }

        #[test]
        fn no_text_is_too_odd(text in "[ad]?[0-9]{0,4}[.a-z0-9é#:-]{0,40}") {
            pointed(&text);
            if let Some(found) = parse_layout(&text) {
                let suffix = found.place.as_ref().map_or_else(String::new, place_suffix);
                prop_assert_eq!(layout_name(&found.layout) + &suffix, text);
            }
        }
    }

    #[test]
    fn what_was_never_written_names_nothing() {
        for name in [
            "",
            "a",
            "d5.tp2.b1",
            "a8.tp4.b80",
            "a08.tp4.b80.c1",
            "a8.tp4.pp1.b80.c1",
            "a8.tp0.b80.c1",
            "a8.tp4.b80.c1.",
            "a8.tp4.b80.c1.vllm",
            "a8.tp4.b80.c1.vllm.",
            "a8.tp4.b80.c1.vllm.h100_sxm",
            "a8.tp4.b80.c1-2.e1",
            "a8.tp16384.pp16384.dp16384.b1.c1",
            "a99999999999.tp1.b1.c1",
            "x8.tp4.b80.c1",
        ] {
            assert_eq!(parse_layout(name), None, "{name}");
        }
    }

    #[test]
    fn a_fragment_points_at_a_layout() {
        let found = |link: &str| pointed(link).map(|found| layout_name(&found.layout));
        let name = "d5.tp2.b1-6.tp1.b64";
        for screen in ["explore", "export"] {
            assert_eq!(found(&format!("https://a.b/?v=1&model=x#{screen}:{name}")).as_deref(), Some(name));
        }
        for link in
            ["?v=1", "?v=1#explore", "?v=1#explore:", "#:d5.tp2.b1-6.tp1.b64", "#Explore:a1.tp1.b1.c1"]
        {
            assert_eq!(found(link), None, "{link}");
        }
    }
}
