//! The question: one bar, always there.

mod more;
mod bring;
mod own_model;

use engine::backend::Backend;
use engine::link;
use engine::problem::Field;
use engine::scenario::{Goal, Place, Scenario};
use leptos::prelude::*;

use crate::components::{Combobox, NumberField, Select, When, handler};
use crate::reactive::memo;
use crate::services::engine::Phase;
use crate::state::{Page, use_page};
use crate::view_model::coverage;
use crate::view_model::form::{self, GoalKind};
use crate::view_model::preset::{PRESETS, Preset};
use crate::view_model::remedy::field_of;
use bring::Bring;
use more::More;
use own_model::OwnModel;

/// What the search says is wrong with a field.
fn refused(page: Page, wanted: Field) -> Signal<Option<String>> {
    Signal::derive(move || {
        page.engine.phase.with(|phase| match phase {
            Phase::Failed { message, error: Some(error) } if field_of(error) == Some(wanted) => {
                Some(message.detail.clone())
            }
            _ => None,
        })
    })
}

/// Model, GPUs, engine, traffic and targets.
#[component]
pub(crate) fn ScenarioBar() -> impl IntoView {
    let page = use_page();
    let unfolded = RwSignal::new(false);
    let own = RwSignal::new(false);
    let bring = RwSignal::new(false);
    let fold = move |_| unfolded.update(|open| *open = !*open);
    view! {
        <section class="scenario" aria-label="Scenario" class:unfolded=move || unfolded.get()>
            <div class="fold">
                <p><b>{move || page.scenario.with(form::folded).0.into_any()}</b><span>{move || page.scenario.with(form::folded).1.into_any()}</span></p>
                <button type="button" class="ghost" aria-expanded=move || unfolded.get().to_string() on:click=handler(fold)>
                    {move || if unfolded.get() { "Done" } else { "Edit" }.into_any()}
                </button>
            </div>
            <div class="fields">
                <Deployment own=own/>
                <Traffic/>
                <Targets/>
                <More/>
                <When holds=move || own.get()><OwnModel open=own/></When>
                <When holds=move || bring.get()><Bring open=bring/></When>
            </div>
            <Stories bring=bring/>
        </section>
    }
}

#[component]
fn Deployment(
    /// Whether the panel for a model of the user's own is open.
    own: RwSignal<bool>,
) -> impl IntoView {
    let page = use_page();
    let model = Signal::derive(move || page.scenario.with(|scenario| scenario.model.clone()));
    let system = memo(move || page.scenario.with(|scenario| scenario.one_system().map(str::to_owned)));
    let backend = memo(move || page.scenario.with(Scenario::one_backend));
    let systems = Signal::derive(move || {
        let choices = page
            .index
            .with(|index| page.scenario.with(|scenario| form::searched_systems(index.as_deref(), scenario)));
        let at = |system: &str| Some(Place { system: system.to_owned(), backend: backend.get()? });
        page.coverage.with(|atlas| coverage::noted(choices, atlas.as_deref(), &model.get(), at))
    });
    let backends = Signal::derive(move || {
        let choices = page.index.with(|index| form::backends(index.as_deref(), system.get().as_deref()));
        let at = |name: &str| Some(Place { system: system.get()?, backend: Backend::from_name(name)? });
        page.coverage.with(|atlas| coverage::noted(choices, atlas.as_deref(), &model.get(), at))
    });
    let find = move |query: &str| {
        page.coverage.with(|atlas| coverage::counted(form::models(query), atlas.as_deref()))
    };
    view! {
        <div class="group">
            <Combobox
                id="model"
                label="Model"
                value=model
                error=refused(page, Field::Model)
                other="Paste a config.json…"
                take_other=move || own.set(true)
                find=find
                take=move |id| { page.edit(|scenario| scenario.choose(&id)); page.commit(); }
            />
            <GoalFields/>
            <Select
                id="system"
                label="GPU"
                choices=systems
                value=Signal::derive(move || system.get().unwrap_or_else(|| link::ANY.to_owned()))
                refused=refused(page, Field::System)
                set=move |id| {
                    page.edit(|scenario| {
                        scenario.set_system((id != link::ANY).then_some(&id));
                        scenario.version = None;
                    });
                    page.commit();
                }
            />
            <Select
                id="backend"
                label="Engine"
                choices=backends
                value=Signal::derive(move || backend.get().map_or(link::AUTO, Backend::name).to_owned())
                refused=refused(page, Field::Backend)
                set=move |name| {
                    page.edit(|scenario| { scenario.set_backend(Backend::from_name(&name)); scenario.version = None; });
                    page.commit();
                }
            />
        </div>
    }
}

#[component]
fn GoalFields() -> impl IntoView {
    let page = use_page();
    let goal = move || page.scenario.with(|scenario| scenario.goal);
    let kind = memo(move || GoalKind::of(goal()));
    let switch = move |kind: GoalKind| {
        // The new goal asks for about what is on screen, so that the answer does not jump.
        let best = page.shown.get_untracked().and_then(|shown| shown.best().copied());
        let (rate, in_flight) = best.map_or((10.0, 100), |best| (best.requests_per_sec, best.concurrency));
        let gpus = match untrack(goal) {
            Goal::Gpus(gpus) => gpus,
            _ => best.map_or(32, |best| best.gpus_used),
        };
        page.edit(|scenario| scenario.goal = kind.like(gpus, rate, in_flight));
        page.commit();
    };
    let apply = move |text: &str| {
        let goal = kind.get_untracked().with(text)?;
        page.edit(|scenario| scenario.goal = goal);
        Ok(())
    };
    let why = Signal::derive(move || {
        let field = match kind.get() {
            GoalKind::Gpus => Field::Gpus,
            GoalKind::Rate => Field::RequestRate,
            GoalKind::Concurrency => Field::Concurrency,
        };
        refused(page, field).get()
    });
    view! {
        <div class="pair">
        <NumberField
            id="goal"
            label="Plan for"
            value=Signal::derive(move || form::show_goal(goal()))
            apply=apply
            commit=move || page.commit()
            refused=why
            class="n4"
        />
        <Select
            id="goal-kind"
            label="\u{a0}"
            name="Unit of the goal"
            choices=GoalKind::ALL.map(GoalKind::choice).to_vec()
            value=Signal::derive(move || kind.get().value().to_owned())
            set=move |value| if let Some(kind) = GoalKind::from_value(&value) { switch(kind) }
        />
        </div>
    }
}

#[component]
fn Traffic() -> impl IntoView {
    let page = use_page();
    let workload = move || page.scenario.with(|scenario| scenario.workload);
    let commit = move || page.commit();
    view! {
        <div class="group">
            <NumberField
                id="isl" label="Input" term="ISL" class="n4" commit=commit refused=refused(page, Field::Isl)
                value=Signal::derive(move || form::show_whole(workload().isl))
                apply=move |text| { let tokens = form::whole(text)?; page.edit(|scenario| scenario.workload.isl = tokens); Ok(()) }
            />
            <NumberField
                id="osl" label="Output" term="OSL" class="n4" commit=commit refused=refused(page, Field::Osl)
                value=Signal::derive(move || form::show_whole(workload().osl))
                apply=move |text| { let tokens = form::whole(text)?; page.edit(|scenario| scenario.workload.osl = tokens); Ok(()) }
            />
            <NumberField
                id="prefix" label="Cached" term="prefix" class="n4" commit=commit refused=refused(page, Field::Prefix)
                value=Signal::derive(move || form::show_whole(workload().prefix))
                apply=move |text| { let tokens = form::whole(text)?; page.edit(|scenario| scenario.workload.prefix = tokens); Ok(()) }
            />
        </div>
    }
}

#[component]
fn Targets() -> impl IntoView {
    let page = use_page();
    let sla = move || page.scenario.with(|scenario| scenario.sla);
    let commit = move || page.commit();
    let whole_request = memo(move || sla().request_latency_ms.is_some());
    view! {
        <div class="group slo">
            <NumberField
                id="ttft" label="TTFT ≤" term="TTFT" unit="ms" commit=commit refused=refused(page, Field::Ttft)
                value=Signal::derive(move || form::show_number(sla().ttft_ms))
                apply=move |text| { let ms = form::number(text)?; page.edit(|scenario| scenario.sla.ttft_ms = ms); Ok(()) }
            />
            {move || if whole_request.get() {
                view! {
                    <NumberField
                        id="latency" label="Request ≤" unit="ms" commit=commit refused=refused(page, Field::RequestLatency)
                        value=Signal::derive(move || sla().request_latency_ms.map(form::show_number).unwrap_or_default())
                        apply=move |text| { let ms = form::number(text)?; page.edit(|scenario| scenario.sla.request_latency_ms = Some(ms)); Ok(()) }
                    />
                }.into_any()
            } else {
                view! {
                    <NumberField
                        id="itl" label="ITL ≤" term="ITL" unit="ms" commit=commit refused=refused(page, Field::Itl)
                        value=Signal::derive(move || form::show_number(sla().itl_ms))
                        apply=move |text| { let ms = form::number(text)?; page.edit(|scenario| scenario.sla.itl_ms = ms); Ok(()) }
                    />
                }.into_any()
            }}
        </div>
    }
}

#[component]
fn Stories(
    /// Whether the panel for what runs today is open.
    bring: RwSignal<bool>,
) -> impl IntoView {
    let page = use_page();
    let current = memo(move || page.scenario.with(|scenario| Preset::of(scenario).map(|preset| preset.name)));
    let sentence = move || {
        current
            .get()
            .and_then(|name| PRESETS.iter().find(|preset| preset.name == name))
            .map_or("Your own scenario.", |preset| preset.story)
    };
    view! {
        <div class="stories" role="group" aria-label="Stories to start from">
            {PRESETS.iter().map(|preset| view! {
                <button
                    type="button"
                    class="story"
                    aria-pressed=move || (current.get() == Some(preset.name)).to_string()
                    on:click=handler(move |_| { page.selected.set(None); page.set(preset.scenario()); })
                >
                    {preset.name}
                </button>
            }).collect_view()}
            <p>{move || sentence().into_any()}</p>
            <button type="button" id="bring" class="ghost small" aria-expanded=move || bring.get().to_string() on:click=handler(move |_| bring.update(|open| *open = !*open))>
                "Where am I today?"
            </button>
        </div>
    }
}
