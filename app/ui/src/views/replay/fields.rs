//! Numbers, switches and lists of the form.

use leptos::prelude::*;

use crate::components::{NumberField, Select, handler};
use crate::state::use_page;
use crate::view_model::form::{Choice, show_number};
use crate::view_model::replay::{Field, Group, PREDICTORS, Switch, TARGETS, predictor_word, target_word};

/// The numbers and switches of a group that mean something now.
#[component]
pub(super) fn Fields(
    /// Which.
    group: Group,
) -> impl IntoView {
    let page = use_page();
    let form = page.replay.form;
    let fields = Field::ALL.into_iter().filter(|field| field.group() == group).map(|field| {
        let counts = move || form.with(|form| field.counts(form));
        view! {
            <div class:hidden=move || !counts()>
                <NumberField
                    id=field.word()
                    label=field.label()
                    unit=field.unit()
                    value=Signal::derive(move || show_number(form.with(|form| field.get(form))))
                    apply=move |text: &str| {
                        let mut next = form.get_untracked();
                        field.set(&mut next, text)?;
                        form.set(next);
                        Ok(())
                    }
                    commit=move || page.commit()
                    refused=Signal::derive(|| None::<String>)
                />
            </div>
        }
    });
    let switches =
        Switch::ALL.into_iter().filter(|(switch, _)| switch.group() == group).map(|(switch, _)| {
            view! {
                <label class="switch" class:hidden=move || !form.with(|form| switch.counts(form))>
                    <input
                        type="checkbox"
                        prop:checked=move || form.with(|form| switch.get(form))
                        on:change=handler(move |event: leptos::ev::Event| {
                            form.update(|form| switch.set(form, event_target_checked(&event)));
                            page.commit();
                        })
                    />
                    {switch.label()}
                </label>
            }
        });
    let (fields, switches) = (fields.collect_view(), switches.collect_view());
    view! {
        <div class="setup-fields">{fields}</div>
        <div class="setup-switches">{switches}</div>
    }
}

/// What the planner aims at, and how it forecasts.
#[component]
pub(super) fn Choices() -> impl IntoView {
    let page = use_page();
    let form = page.replay.form;
    let choice = |(word, label): (&str, &str)| Choice { value: word.to_owned(), label: label.to_owned() };
    let targets: Vec<_> = TARGETS.iter().map(|(word, _, label)| choice((word, label))).collect();
    let predictors: Vec<_> = PREDICTORS.iter().map(|(word, _, label)| choice((word, label))).collect();
    let planned = move || form.with(|form| form.planned);
    let forecasts = move || form.with(|form| form.planned && form.planner.throughput_loop());
    view! {
        <div class="setup-lists">
            <div class:hidden=move || !planned()>
                <Select
                    id="target"
                    label="Aims at"
                    choices=targets
                    value=Signal::derive(move || form.with(|form| target_word(form.planner.target)).to_owned())
                    set=move |word| {
                        if let Some((_, target, _)) = TARGETS.iter().find(|(one, ..)| *one == word) {
                            form.update(|form| form.planner.target = *target);
                            page.commit();
                        }
                    }
                />
            </div>
            <div class:hidden=move || !forecasts()>
                <Select
                    id="predictor"
                    label="Forecasts by"
                    choices=predictors
                    value=Signal::derive(move || form.with(|form| predictor_word(form.planner.predictor)).to_owned())
                    set=move |word| {
                        if let Some((_, kind, _)) = PREDICTORS.iter().find(|(one, ..)| *one == word) {
                            form.update(|form| form.planner.predictor = *kind);
                            page.commit();
                        }
                    }
                />
            </div>
        </div>
    }
}
