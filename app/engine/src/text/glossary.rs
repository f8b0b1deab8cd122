//! The field's words: one source for every pop-over.

/// One word of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it stands on the page.
    pub term: &'static str,
    /// Written out.
    pub long: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// How it is computed here; empty where there is nothing to compute.
    pub formula: &'static str,
}

/// Every term, in the order people meet them.
pub fn glossary() -> &'static [Term] {
    TERMS
}

const fn term(term: &'static str, long: &'static str, meaning: &'static str, formula: &'static str) -> Term {
    Term { term, long, meaning, formula }
}

const TERMS: &[Term] = &[
    term(
        "TTFT",
        "time to first token",
        "From the arrival of a request to its first output token: queueing and prefill.",
        "prefill time × queueing factor",
    ),
    term(
        "ITL",
        "inter-token latency",
        "Time between two output tokens of one request. Also called TPOT. Mind the first token: here it is left out, \
         while some tools spread the TTFT over all tokens and report a larger number.",
        "(request latency − TTFT) / (OSL − 1); with the first token: request latency / OSL",
    ),
    term(
        "TPOT",
        "time per output token",
        "The same as ITL, with the same trap: it may or may not include the first token. Here it does not.",
        "(request latency − TTFT) / (OSL − 1)",
    ),
    term("ISL", "input sequence length", "Tokens of the prompt, cached ones included.", ""),
    term("OSL", "output sequence length", "Tokens that the model writes for one request.", ""),
    term(
        "prefix",
        "cached prefix",
        "Leading input tokens whose keys and values are already cached, so that prefill skips them.",
        "tokens to prefill = ISL − prefix",
    ),
    term(
        "TP",
        "tensor parallel",
        "Each layer is split over several GPUs, which exchange partial results in every layer.",
        "GPUs of a worker = TP × PP × DP × CP",
    ),
    term(
        "PP",
        "pipeline parallel",
        "The layers are split into stages on different GPUs; a batch passes from stage to stage.",
        "GPUs of a worker = TP × PP × DP × CP",
    ),
    term(
        "DP",
        "attention data parallel",
        "Copies of the attention layers inside one worker, each with requests of its own. Experts are shared.",
        "requests of a worker = batch × DP",
    ),
    term(
        "EP",
        "expert parallel",
        "The experts of a mixture-of-experts model are spread over GPUs; tokens travel to their experts.",
        "TP × DP = expert TP × EP",
    ),
    term(
        "CP",
        "context parallel",
        "One long prompt is split over GPUs by position. Used during prefill.",
        "GPUs of a worker = TP × PP × DP × CP",
    ),
    term(
        "prefill",
        "prefill phase",
        "Reads the whole prompt in parallel and fills the KV cache. Mostly limited by arithmetic.",
        "",
    ),
    term(
        "decode",
        "decode phase",
        "Writes one token per request and step, reading all weights and the KV cache each time. Mostly limited by \
         memory bandwidth.",
        "tokens/s/user = 1000 / ITL",
    ),
    term(
        "agg",
        "aggregated serving",
        "Every worker does prefill and decode, so a long prompt slows down the tokens of others.",
        "",
    ),
    term(
        "disagg",
        "disaggregated serving",
        "Prefill and decode run on separate workers; the KV cache moves between them. Each side has the layout that \
         suits it.",
        "cluster rate = the smaller of prefill rate and decode rate, after losses",
    ),
    term(
        "replica",
        "replica",
        "A unit that serves requests on its own: one worker, or for disagg the smallest group of prefill and decode \
         workers with the same ratio as the cluster.",
        "GPUs = replicas × GPUs per replica",
    ),
    term(
        "goodput",
        "goodput",
        "Throughput that counts only requests served within the SLO.",
        "tokens/s/GPU at the operating point that meets TTFT and ITL",
    ),
    term(
        "frontier",
        "Pareto frontier",
        "Deployments that nothing beats in both tokens/s/user and tokens/s/GPU at once.",
        "",
    ),
    term(
        "SLO",
        "service-level objective",
        "The promise to users: the highest TTFT and ITL (or request latency) that you accept.",
        "TTFT ≤ target and ITL ≤ target",
    ),
    term(
        "concurrency",
        "requests in flight",
        "Requests being served at one moment, in the whole cluster unless it says per replica.",
        "request rate × request latency",
    ),
    term(
        "request latency",
        "end-to-end latency",
        "From the arrival of a request to its last token.",
        "TTFT + ITL × (OSL − 1)",
    ),
    term(
        "silicon",
        "evidence",
        "How much of a predicted time was measured on this GPU. The rest holds the efficiency of the nearest \
         measurement, or comes from formulas.",
        "measured time / total time",
    ),
    term(
        "KV cache",
        "key-value cache",
        "Keys and values of all tokens of a request, kept in GPU memory until it ends. Limits the batch.",
        "2 × layers × KV heads × head size × bytes, per token",
    ),
    term(
        "mixed step",
        "mixed step",
        "A step of an aggregated worker that carries prompt tokens of some requests beside the decode tokens of \
         others.",
        "ITL = share of mixed steps × mixed step + share of decode steps × decode step",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_page_is_explained_once() {
        let words = [
            "TTFT",
            "ITL",
            "TPOT",
            "ISL",
            "OSL",
            "prefix",
            "TP",
            "PP",
            "DP",
            "EP",
            "CP",
            "prefill",
            "decode",
            "agg",
            "disagg",
            "replica",
            "goodput",
            "frontier",
            "SLO",
            "concurrency",
            "silicon",
            "KV cache",
            "mixed step",
        ];
        for word in words {
            assert_eq!(glossary().iter().filter(|term| term.term == word).count(), 1, "{word}");
        }
    }

    #[test]
    fn entries_are_sentences() {
        for term in glossary() {
            assert!(
                term.meaning.ends_with('.') && !term.meaning.contains('!') && !term.meaning.contains("  "),
                "{}",
                term.term
            );
            assert!(!term.long.is_empty() && term.meaning.len() < 260, "{}", term.term);
        }
    }

    #[test]
    fn the_first_token_trap_is_told() {
        for name in ["ITL", "TPOT"] {
            let term = glossary().iter().find(|term| term.term == name).unwrap();
            assert!(term.meaning.contains("first token"), "{name}");
        }
    }
}
