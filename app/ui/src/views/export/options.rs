//! What the user decides at export.

use engine::manifest::{DgdApi, Dynamo, Format, ModelCache, Options, PlannerUse, Strategy};
use leptos::prelude::*;

use crate::components::{Select, When, handler};
use crate::state::use_page;
use crate::view_model::export::Tab;
use crate::view_model::form::Choice;

/// Name, release, and a closed group for the rest that says what is in it.
#[component]
pub(super) fn OptionFields() -> impl IntoView {
    let page = use_page();
    let options = page.options;
    let kube = move || page.tab.get() != Tab::Figures;
    let releases = Dynamo::ALL
        .iter()
        .map(|release| Choice { value: release.tag().to_owned(), label: release.tag().to_owned() })
        .collect::<Vec<_>>();
    view! {
        <div class:hidden=move || !kube()>
            <div class="options-row">
                <TextField id="manifest-name" label="Name" placeholder="derived from the model" value=|options| options.name.clone() set=|options, text| options.name = text/>
                <Select
                    id="release"
                    label="Dynamo"
                    choices=releases
                    value=Signal::derive(move || options.with(|options| options.release.tag().to_owned()))
                    set=move |tag| if let Some(found) = Dynamo::from_tag(&tag) { options.update(|options| options.release = found) }
                />
            </div>
            <details class="extras">
                <summary><b>"Options"</b>" "<span>{move || options.with(summary).into_any()}</span></summary>
                <div class="extra-fields">
                    <TextField id="namespace" label="Namespace" placeholder="the current one" value=|options| options.namespace.clone() set=|options, text| options.namespace = text/>
                    <TextField id="registry" label="Image registry" placeholder="nvcr.io/nvidia/ai-dynamo" value=|options| options.registry.clone() set=|options, text| options.registry = text/>
                    <TextField id="pull-secret" label="Pull secret" placeholder="none" value=|options| options.extras.pull_secret.clone() set=|options, text| options.extras.pull_secret = text/>
                    <TextField id="claim" label="Model volume claim" placeholder="none" value=|options| options.extras.model_cache.as_ref().map(|cache| cache.claim.clone()) set=set_claim/>
                    <TextField id="model-path" label="Model folder on it" placeholder="a Hugging Face cache" value=|options| options.extras.model_cache.as_ref().and_then(|cache| cache.path.clone()) set=set_path/>
                    <PlannerChoice/>
                    <When holds=move || page.tab.get() == Tab::Files(Format::Dgdr)>
                        <Choose id="strategy" label="Profiler" choices=vec![("rapid", "predicts"), ("thorough", "measures on GPUs")]
                            value=|options| if options.extras.strategy == Strategy::Thorough { "thorough" } else { "rapid" }
                            set=|options, name| options.extras.strategy = if name == "thorough" { Strategy::Thorough } else { Strategy::Rapid }/>
                        <Choose id="apply" label="Outcome" choices=vec![("review", "waits for review"), ("apply", "is deployed at once")]
                            value=|options| if options.auto_apply { "apply" } else { "review" }
                            set=|options, name| options.auto_apply = name == "apply"/>
                    </When>
                    <When holds=move || page.tab.get() == Tab::Files(Format::Dgd)>
                        <Choose id="api" label="API" choices=vec![("v1beta1", "v1beta1"), ("v1alpha1", "v1alpha1, deprecated")]
                            value=|options| if options.extras.api == DgdApi::V1Alpha1 { "v1alpha1" } else { "v1beta1" }
                            set=|options, name| options.extras.api = if name == "v1alpha1" { DgdApi::V1Alpha1 } else { DgdApi::V1Beta1 }/>
                    </When>
                    <div class="switches">
                        <Switch label="Route by cached prefixes" value=|options| options.extras.kv_router set=|options, on| options.extras.kv_router = on/>
                        <Switch label="Pin to nodes with this GPU" value=|options| options.extras.pin_nodes set=|options, on| options.extras.pin_nodes = on/>
                        <Switch label="Trust code of the model" value=|options| options.extras.trust_remote_code set=|options, on| options.extras.trust_remote_code = on/>
                        <When holds=move || page.tab.get() == Tab::Files(Format::Dgdr)>
                            <Switch label="Mock the engines" value=|options| options.extras.mocker set=|options, on| options.extras.mocker = on/>
                        </When>
                    </div>
                </div>
            </details>
        </div>
    }
}

/// What is in the closed group.
fn summary(options: &Options) -> String {
    let extras = &options.extras;
    let planner = match extras.planner {
        PlannerUse::Scales => "planner scales",
        PlannerUse::Advises => "planner advises",
        PlannerUse::Off => "no planner",
    };
    let mut parts = vec![planner.to_owned()];
    parts.extend(options.namespace.as_ref().map(|name| format!("namespace {name}")));
    parts.extend(options.registry.clone());
    parts.extend(extras.pull_secret.as_ref().map(|name| format!("secret {name}")));
    parts.extend(extras.model_cache.as_ref().map(|cache| format!("model from {}", cache.claim)));
    let switches = [
        (extras.kv_router, "KV routing"),
        (extras.pin_nodes, "pinned nodes"),
        (extras.trust_remote_code, "remote code"),
        (extras.mocker, "mocker"),
        (options.auto_apply, "deployed at once"),
        (extras.strategy == Strategy::Thorough, "measured on GPUs"),
        (extras.api == DgdApi::V1Alpha1, "v1alpha1"),
    ];
    parts.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, name)| name.to_owned()));
    parts.join(" · ")
}

fn set_claim(options: &mut Options, claim: Option<String>) {
    options.extras.model_cache =
        claim.map(|claim| ModelCache { claim, ..options.extras.model_cache.take().unwrap_or_default() });
}

fn set_path(options: &mut Options, path: Option<String>) {
    if let Some(cache) = &mut options.extras.model_cache {
        cache.path = path;
    }
}

#[component]
fn PlannerChoice() -> impl IntoView {
    view! {
        <Choose id="planner" label="Planner (disagg)" choices=vec![("scales", "scales"), ("advises", "only advises"), ("off", "none")]
            value=|options| match options.extras.planner {
                PlannerUse::Scales => "scales",
                PlannerUse::Advises => "advises",
                PlannerUse::Off => "off",
            }
            set=|options, name| options.extras.planner = match name {
                "advises" => PlannerUse::Advises,
                "off" => PlannerUse::Off,
                _ => PlannerUse::Scales,
            }/>
    }
}

/// A text; nothing typed means none.
#[component]
fn TextField(
    id: &'static str,
    label: &'static str,
    placeholder: &'static str,
    value: fn(&Options) -> Option<String>,
    set: fn(&mut Options, Option<String>),
) -> impl IntoView {
    let options = use_page().options;
    view! {
        <div class="control">
            <label for=id>{label}</label>
            <input
                id=id
                class="field"
                autocomplete="off"
                spellcheck="false"
                placeholder=placeholder
                prop:value=move || options.with(value).unwrap_or_default()
                on:input=handler(move |event: leptos::ev::Event| {
                    let text = event_target_value(&event);
                    options.update(|options| set(options, Some(text.trim().to_owned()).filter(|text| !text.is_empty())));
                })
            />
        </div>
    }
}

/// One of a few.
#[component]
fn Choose(
    id: &'static str,
    label: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    value: fn(&Options) -> &'static str,
    set: fn(&mut Options, &str),
) -> impl IntoView {
    let options = use_page().options;
    let choices = choices
        .into_iter()
        .map(|(value, label)| Choice { value: value.to_owned(), label: label.to_owned() })
        .collect::<Vec<_>>();
    view! {
        <Select
            id=id
            label=label
            choices=choices
            value=Signal::derive(move || options.with(value).to_owned())
            set=move |name| options.update(|options| set(options, &name))
        />
    }
}

#[component]
fn Switch(label: &'static str, value: fn(&Options) -> bool, set: fn(&mut Options, bool)) -> impl IntoView {
    let options = use_page().options;
    view! {
        <label class="switch">
            <input type="checkbox" prop:checked=move || options.with(value) on:change=handler(move |event: leptos::ev::Event| options.update(|options| set(options, event_target_checked(&event))))/>
            {label}
        </label>
    }
}
