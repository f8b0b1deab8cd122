//! The rarely used inputs; while closed, their values can be read.

use engine::problem::Field;
use engine::quant::{FmhaQuant, KvQuant, Quant};
use engine::scenario::{EncoderPlace, Images, Policy, Scenario, Serving};
use engine::source::DataMode;
use leptos::prelude::*;

use super::refused;
use crate::components::{NumberField, Select, handler};
use crate::state::{Page, use_page};
use crate::view_model::form::{self, Choice};

fn choice(value: &str, label: &str) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned() }
}

/// The group.
#[component]
pub(super) fn More() -> impl IntoView {
    let page = use_page();
    let open = RwSignal::new(false);
    view! {
        <div class="more" class:open=move || open.get()>
            <button type="button" class="toggle" aria-expanded=move || open.get().to_string() aria-controls="more-fields" on:click=handler(move |_| open.update(|open| *open = !*open))>
                <b>{move || if open.get() { "Less" } else { "More" }.into_any()}</b>
                <span class:hidden=move || open.get()>{move || page.scenario.with(form::more_summary).into_any()}</span>
            </button>
            <div class="more-fields" id="more-fields" class:hidden=move || !open.get()>
                <Serve/>
                <Precisions/>
                <EngineFields/>
                <ImageFields/>
                <Rules/>
            </div>
        </div>
    }
}

/// A list whose empty value stands for the default.
fn set_choice(page: Page, change: impl FnOnce(&mut Scenario)) {
    page.edit(change);
    page.commit();
}

#[component]
fn Serve() -> impl IntoView {
    let page = use_page();
    let value = move |read: fn(&Scenario) -> String| Signal::derive(move || page.scenario.with(read));
    let decode = Signal::derive(move || {
        let mut choices = vec![choice("", "same GPUs")];
        let (backend, current) =
            page.scenario.with(|scenario| (scenario.one_backend(), scenario.decode_system.clone()));
        page.index.with(|index| {
            let current = current.as_deref().unwrap_or("h100_sxm");
            choices.extend(form::systems(index.as_deref(), backend, current));
        });
        choices
    });
    let versions = Signal::derive(move || {
        page.index.with(|index| page.scenario.with(|scenario| form::versions(index.as_deref(), scenario)))
    });
    view! {
        <Select
            id="serving" label="Serving mode"
            choices=vec![choice("both", "agg and disagg"), choice("agg", "agg only"), choice("disagg", "disagg only")]
            value=value(|scenario| match scenario.serving {
                Serving::Both => "both",
                Serving::Agg => "agg",
                Serving::Disagg => "disagg",
            }.to_owned())
            set=move |name| set_choice(page, |scenario| scenario.serving = match name.as_str() {
                "agg" => Serving::Agg,
                "disagg" => Serving::Disagg,
                _ => Serving::Both,
            })
        />
        <Select
            id="decode-system" label="Decode on" choices=decode refused=refused(page, Field::DecodeSystem)
            value=value(|scenario| scenario.decode_system.clone().unwrap_or_default())
            set=move |id| set_choice(page, |scenario| scenario.decode_system = (!id.is_empty()).then_some(id))
        />
        <Select
            id="version" label="Data version" choices=versions refused=refused(page, Field::Version)
            value=value(|scenario| scenario.version.clone().unwrap_or_default())
            set=move |version| set_choice(page, |scenario| scenario.version = (!version.is_empty()).then_some(version))
        />
        <Select
            id="mode" label="Data" choices=form::data_modes()
            value=value(|scenario| scenario.mode.name().to_owned())
            set=move |name| set_choice(page, |scenario| scenario.mode = DataMode::from_name(&name).unwrap_or_default())
        />
    }
}

fn precisions<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<Choice> {
    let mut choices = vec![choice("", "as the checkpoint")];
    choices.extend(all.iter().map(|&value| choice(name(value), name(value))));
    choices
}

#[component]
fn Precisions() -> impl IntoView {
    let page = use_page();
    let quant = move || page.scenario.with(|scenario| scenario.quant);
    view! {
        <Select
            id="gemm" label="GEMM precision" choices=precisions(Quant::ALL, Quant::name)
            value=Signal::derive(move || quant().gemm.map_or("", Quant::name).to_owned())
            set=move |name| set_choice(page, |scenario| scenario.quant.gemm = Quant::from_name(&name))
        />
        <Select
            id="kv" label="KV cache precision" choices=precisions(KvQuant::ALL, KvQuant::name)
            value=Signal::derive(move || quant().kv.map_or("", KvQuant::name).to_owned())
            set=move |name| set_choice(page, |scenario| scenario.quant.kv = KvQuant::from_name(&name))
        />
        <Select
            id="fmha" label="Attention precision" choices=precisions(FmhaQuant::ALL, FmhaQuant::name)
            value=Signal::derive(move || quant().fmha.map_or("", FmhaQuant::name).to_owned())
            set=move |name| set_choice(page, |scenario| scenario.quant.fmha = FmhaQuant::from_name(&name))
        />
    }
}

#[component]
fn EngineFields() -> impl IntoView {
    let page = use_page();
    let engine = move || page.scenario.with(|scenario| scenario.engine);
    let commit = move || page.commit();
    view! {
        <NumberField
            id="mem" label="KV memory share" placeholder="default" class="n4" commit=commit refused=refused(page, Field::FreeMemoryFraction)
            value=Signal::derive(move || engine().free_memory_fraction.map(form::show_number).unwrap_or_default())
            apply=move |text| {
                let share = if text.trim().is_empty() { None } else { Some(form::number(text)?) };
                page.edit(|scenario| scenario.engine.free_memory_fraction = share);
                Ok(())
            }
        />
        <NumberField
            id="maxseq" label="Max sequence" placeholder="input + output" class="n6" commit=commit refused=refused(page, Field::MaxSeqLen)
            value=Signal::derive(move || engine().max_seq_len.map(form::show_whole).unwrap_or_default())
            apply=move |text| {
                let tokens = if text.trim().is_empty() { None } else { Some(form::whole(text)?) };
                page.edit(|scenario| scenario.engine.max_seq_len = tokens);
                Ok(())
            }
        />
        <NumberField
            id="mtp" label="Draft tokens" placeholder="0" class="n4" commit=commit refused=refused(page, Field::DraftTokens)
            value=Signal::derive(move || Some(engine().draft_tokens).filter(|&drafts| drafts > 0).map(form::show_whole).unwrap_or_default())
            apply=move |text| {
                let drafts = if text.trim().is_empty() { 0 } else { form::whole(text)? };
                page.edit(|scenario| scenario.engine.draft_tokens = drafts);
                Ok(())
            }
        />
        <NumberField
            id="mtpacc" label="Drafts accepted" placeholder="0" class="n4" commit=commit refused=refused(page, Field::DraftAccepted)
            value=Signal::derive(move || Some(engine().draft_accepted).filter(|&drafts| drafts != 0.0).map(form::show_number).unwrap_or_default())
            apply=move |text| {
                let drafts = if text.trim().is_empty() { 0.0 } else { form::number(text)? };
                page.edit(|scenario| scenario.engine.draft_accepted = drafts);
                Ok(())
            }
        />
        <NumberField
            id="price" label="$ per GPU-hour" placeholder="none" class="n4" commit=|| () refused=Signal::derive(|| None::<String>)
            value=Signal::derive(move || page.price.get().map(form::show_number).unwrap_or_default())
            apply=move |text| {
                let price = if text.trim().is_empty() { None } else { Some(form::number(text)?) };
                if price.is_some_and(|price| price <= 0.0) {
                    return Err("A price is above zero.".to_owned());
                }
                page.price.set(price);
                Ok(())
            }
        />
    }
}

#[component]
fn ImageFields() -> impl IntoView {
    view! {
        <ImageField id="images" label="Images" field=Field::Images get=|images| images.count set=|images, count| images.count = count/>
        <ImageField id="image-width" label="Width px" field=Field::ImageWidth get=|images| images.width set=|images, width| images.width = width/>
        <ImageField id="image-height" label="Height px" field=Field::ImageHeight get=|images| images.height set=|images, height| images.height = height/>
    }
}

/// One number of the images of a request; none of it means no images.
#[component]
fn ImageField(
    /// Id of the input.
    id: &'static str,
    /// Its name.
    label: &'static str,
    /// What a refusal calls it.
    field: Field,
    /// Reads it.
    get: fn(&Images) -> u32,
    /// Writes it.
    set: fn(&mut Images, u32),
) -> impl IntoView {
    let page = use_page();
    view! {
        <NumberField
            id=id label=label placeholder="none" class="n4" commit=move || page.commit() refused=refused(page, field)
            value=Signal::derive(move || page.scenario.with(|scenario| form::show_image(scenario, get)))
            apply=move |text| {
                let number = if text.trim().is_empty() { 0 } else { form::whole(text)? };
                page.edit(|scenario| form::set_image(scenario, number, set));
                Ok(())
            }
        />
    }
}

#[component]
fn Switch(
    /// Id of the box.
    id: &'static str,
    /// What it switches.
    label: &'static str,
    /// Reads it.
    get: fn(&Scenario) -> bool,
    /// Writes it.
    set: fn(&mut Scenario, bool),
) -> impl IntoView {
    let page = use_page();
    view! {
        <label class="switch" for=id>
            <input
                type="checkbox"
                id=id
                prop:checked=move || page.scenario.with(get)
                on:change=handler(move |event: leptos::ev::Event| {
                    let on = event_target_checked(&event);
                    set_choice(page, |scenario| set(scenario, on));
                })
            />
            <span>{label}</span>
        </label>
    }
}

#[component]
fn Rules() -> impl IntoView {
    view! {
        <div class="switches">
            <Switch id="chunked" label="Chunked prefill" get=|s| s.engine.chunked_prefill set=|s, on| s.engine.chunked_prefill = on/>
            <Switch id="pipeline" label="Pipeline parallel 2 and 4" get=|s| s.engine.pipeline set=|s, on| s.engine.pipeline = on/>
            <Switch
                id="encoder-workers"
                label="Encode images on workers of their own"
                get=|s| s.engine.encoder == EncoderPlace::Workers
                set=form::set_encoder_workers
            />
            <Switch id="strict" label="Hide what misses the SLO" get=|s| s.sla.strict set=|s, on| s.sla.strict = on/>
            <Switch
                id="whole-request"
                label="Target for the whole request instead of ITL"
                get=|s| s.sla.request_latency_ms.is_some()
                set=|s, on| {
                    // The latency that the two targets admit together, so that the answer does not jump.
                    let latency = s.sla.ttft_ms + s.sla.itl_ms * f64::from(s.workload.osl.saturating_sub(1));
                    s.sla.request_latency_ms = on.then_some(latency.round());
                }
            />
            <Switch
                id="reference"
                label="Search as AI Configurator 0.12.0 does"
                get=|s| s.policy == Policy::Reference
                set=|s, on| s.policy = if on { Policy::Reference } else { Policy::Exhaustive }
            />
        </div>
    }
}
