//! The form in a few words for the address.

use engine::simulate::story::Kind;

use super::{Against, Field, Form, PREDICTORS, Switch, TARGETS, predictor_word, target_word};

/// Word of what a run is compared with.
const fn against_word(against: Against) -> &'static str {
    match against {
        Against::Static => "fixed",
        Against::Kept => "kept",
        Against::Nothing => "alone",
    }
}

/// The form in a few words for the address: what differs from the storm. A trace and kept settings stay here.
pub fn write(form: &Form) -> Option<String> {
    let storm = Form::storm();
    let mut words: Vec<String> = Vec::new();
    if form.outline.kind != Kind::Storm {
        words.push(form.outline.kind.word().to_owned());
    }
    if form.own {
        words.push("own".to_owned());
    }
    for field in Field::ALL {
        let value = field.get(form);
        if value != field.get(&storm) {
            words.push(format!("{}{value}", field.word()));
        }
    }
    for (switch, word) in Switch::ALL {
        if switch.get(form) != switch.get(&storm) {
            words.push(word.to_owned());
        }
    }
    if form.planner.target != storm.planner.target {
        words.push(target_word(form.planner.target).to_owned());
    }
    if form.planner.predictor != storm.planner.predictor {
        words.push(predictor_word(form.planner.predictor).to_owned());
    }
    if form.against == Against::Nothing {
        words.push(against_word(form.against).to_owned());
    }
    (!words.is_empty()).then(|| words.join("-"))
}

/// The form of these words; what is not understood is left as in the storm.
pub fn read(text: &str) -> Form {
    let mut form = Form::storm();
    for word in text.split('-') {
        take(&mut form, word);
    }
    form
}

fn take(form: &mut Form, word: &str) {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) {
        form.outline.kind = kind;
    } else if word == "own" {
        form.own = true;
    } else if word == against_word(Against::Nothing) {
        form.against = Against::Nothing;
    } else if let Some((switch, _)) = Switch::ALL.into_iter().find(|(_, other)| *other == word) {
        let on = switch.get(form);
        switch.set(form, !on);
    } else if let Some((_, target, _)) = TARGETS.iter().find(|(other, ..)| *other == word) {
        form.planner.target = *target;
    } else if let Some((_, kind, _)) = PREDICTORS.iter().find(|(other, ..)| *other == word) {
        form.planner.predictor = *kind;
    } else {
        let split = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (name, value) = word.split_at(split);
        if let Some(field) = Field::ALL.into_iter().find(|field| field.word() == name) {
            // An aggregated point has no prefill workers.
            if field == Field::Prefill && value == "0" {
                form.count.prefill = 0;
            }
            // A value out of range leaves the storm's.
            let _ = field.set(form, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::form::show_number;
    use engine::planner::{PredictorKind, Target};

    fn storm() -> Form {
        Form::storm()
    }

    #[test]
    fn the_storm_needs_no_words() {
        assert_eq!(write(&storm()), None);
        assert_eq!(read(""), storm());
    }

    #[test]
    fn forms_come_back() {
        let mut form = storm();
        form.outline.kind = Kind::Wave;
        form.own = true;
        form.planner.target = Target::Latency;
        form.planner.predictor = PredictorKind::Kalman;
        form.against = Against::Nothing;
        for (switch, _) in Switch::ALL {
            let on = switch.get(&form);
            switch.set(&mut form, !on);
        }
        for (at, field) in Field::ALL.into_iter().enumerate() {
            let value = field.facts().least.max(1.0) + at as f64;
            field.set(&mut form, &show_number(value)).unwrap();
        }
        let text = write(&form).unwrap();
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)), "{text}");
        assert_eq!(read(&text), form, "{text}");
    }

    #[test]
    fn words_that_mean_nothing_change_nothing() {
        for text in ["x", "peak", "peak-1", "peaknan", "min1e99", "start99999999", "seed1.5", "--", "p0.5"] {
            let form = read(text);
            assert_eq!(form.outline, storm().outline, "{text}");
            assert_eq!((form.count, form.settings), (storm().count, storm().settings), "{text}");
        }
    }

    #[test]
    fn wrong_numbers_say_what_is_allowed() {
        let mut form = storm();
        assert_eq!(Field::Burst.set(&mut form, "1.5"), Err("A whole number.".to_owned()));
        assert!(Field::Hit.set(&mut form, "150").unwrap_err().contains("99"));
        assert!(Field::Ttft.set(&mut form, "x").is_err());
        assert_eq!(form, storm());
    }

    #[test]
    fn every_word_is_its_own() {
        let mut words: Vec<&str> = Field::ALL.iter().map(|field| field.word()).collect();
        words.extend(Switch::ALL.iter().map(|(_, word)| word));
        words.extend(Kind::ALL.iter().map(|kind| kind.word()));
        words.extend(TARGETS.iter().map(|(word, ..)| word));
        words.extend(PREDICTORS.iter().map(|(word, ..)| word));
        words.extend(["own", "alone"]);
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
