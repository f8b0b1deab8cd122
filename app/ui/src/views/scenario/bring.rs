//! Where am I today? A manifest or a launch command becomes a question and a point.

use std::sync::Arc;

use engine::manifest::{Check, Imported};
use engine::text::Message;
use leptos::prelude::*;
use worker::papers::{Answer, Ask};

use crate::components::{ChooseFiles, DropPanel, MessageBox, TakeFiles, handler};
use crate::reactive::effect;
use crate::services::screen;
use crate::state::{Page, use_page};
use crate::view_model::today::Today;
use crate::views::findings;

/// Longest text that is read; longer ones are cut one byte beyond, so that their reader refuses them.
const MAX_BYTES: usize = 8 << 20;

/// What was read.
#[derive(Clone)]
enum Reading {
    /// Something.
    Read(Arc<Imported>, Vec<Check>),
    /// Nothing.
    Refused(Vec<Check>),
    /// The worker did not answer.
    Failed(Message),
}

/// Paste or drop, look at what was understood, use it.
#[component]
pub(super) fn Bring(
    /// Whether this is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let page = use_page();
    let pasted = RwSignal::new(String::new());
    let reading = RwSignal::new(None::<Reading>);
    effect(move || screen::focus("bring-text"));
    read(page, pasted, reading);
    let take: TakeFiles = Arc::new(move |files| {
        let texts: Vec<String> = files.into_iter().map(|(_, text)| text).collect();
        if !texts.is_empty() {
            pasted.try_set(texts.join("\n---\n"));
        }
    });
    let close = move || {
        open.set(false);
        screen::focus("bring");
    };
    view! {
        <DropPanel label="What runs today" limit=MAX_BYTES take=take.clone() close=move |()| close()>
            <div class="ownfiles">
                <h2>"Where are you today?"</h2>
                <p class="note">"Paste or drop what runs: a DynamoGraphDeployment or its request, a planner configuration, or the command that starts vLLM, SGLang or TensorRT-LLM. It is read here and sent nowhere."</p>
                <textarea
                    id="bring-text"
                    class="field"
                    rows=12
                    spellcheck="false"
                    autocomplete="off"
                    aria-label="Manifest or launch command"
                    placeholder="vllm serve Qwen/Qwen3-32B-FP8 --tensor-parallel-size 2 --max-num-seqs 64"
                    prop:value=move || pasted.get()
                    on:input=handler(move |event: leptos::ev::Event| pasted.set(event_target_value(&event)))
                ></textarea>
                <ChooseFiles accept=".yaml,.yml,.json,.sh,.txt" limit=MAX_BYTES take=take/>
            </div>
            <div class="ownfacts">
                <div aria-live="polite">{move || reading.get().map(outcome).into_any()}</div>
                <div class="buttons">
                    <button
                        type="button"
                        class="primary"
                        disabled=move || reading.with(|reading| !matches!(reading, Some(Reading::Read(..))))
                        on:click=handler(move |_| if let Some(Reading::Read(imported, _)) = reading.get_untracked() {
                            apply(page, &imported);
                            open.set(false);
                            screen::start_at("answer");
                        })
                    >
                        {move || reading.with(|reading| match reading {
                            Some(Reading::Read(imported, _)) if imported.layout.is_some() => "Show it on the chart",
                            _ => "Use this question",
                        }).into_any()}
                    </button>
                    <button type="button" class="ghost" on:click=handler(move |_| close())>"Close"</button>
                </div>
            </div>
        </DropPanel>
    }
}

/// Has the text read whenever it changes; only the newest answer counts.
fn read(page: Page, pasted: RwSignal<String>, reading: RwSignal<Option<Reading>>) {
    let asked = StoredValue::new(0_u32);
    effect(move || {
        let text = pasted.get();
        let number = asked.try_update_value(|asked| {
            *asked = asked.wrapping_add(1);
            *asked
        });
        if text.trim().is_empty() {
            reading.set(None);
            return;
        }
        let form = Box::new(page.scenario.get_untracked());
        let release = page.options.with_untracked(|options| options.release);
        page.papers.ask(Ask::Import { text, form, release }, move |answer| {
            if asked.try_get_value() == number {
                let outcome = match answer {
                    Ok(Answer::Imported(Ok(imported), checks)) => Reading::Read(Arc::from(imported), checks),
                    Ok(Answer::Imported(Err(checks), _)) => Reading::Refused(checks),
                    Ok(_) => return,
                    Err(message) => Reading::Failed(message),
                };
                reading.try_set(Some(outcome));
            }
        });
    });
}

/// Asks the question, and sets the deployment beside its answer.
fn apply(page: Page, imported: &Imported) {
    let scenario = imported.scenario.clone();
    page.today.set(imported.layout.map(|layout| Today { layout, place: scenario.home() }));
    page.selected.set(None);
    page.set(scenario);
}

/// What was understood, what was assumed, and what was not understood, by line.
fn outcome(reading: Reading) -> AnyView {
    match reading {
        Reading::Failed(message) => view! { <MessageBox message=message/> }.into_any(),
        Reading::Refused(checks) => view! { <h2>"Nothing was understood"</h2>{findings(checks)} }.into_any(),
        Reading::Read(imported, checks) => {
            let fixed = imported.fixed.iter().map(|fixed| {
                view! { <div><dt>{fixed.input.clone()}</dt><dd>{fixed.value.clone()}" "<i>"line "{fixed.line}</i></dd></div> }
            });
            let unread = imported.unread.iter().map(|unread| {
                let line = unread.line.map(|line| format!("Line {line}: "));
                view! { <li><b>{line}<code>{unread.text.clone()}</code></b><span>{unread.why.clone()}</span></li> }
            });
            let assumed = imported.assumed.iter().map(|assumed| view! { <li>{assumed.clone()}</li> });
            let (some_unread, some_assumed) = (!imported.unread.is_empty(), !imported.assumed.is_empty());
            view! {
                <h2>{imported.kind.label()}</h2>
                <dl>{fixed.collect_view()}</dl>
                <h2 class:hidden=!some_assumed>"Assumed"</h2>
                <ul class:hidden=!some_assumed>{assumed.collect_view()}</ul>
                <h2 class:hidden=!some_unread>"Not understood"</h2>
                <ul class="checks unread" class:hidden=!some_unread>{unread.collect_view()}</ul>
                {(!checks.is_empty()).then(|| view! { <h2>"Checks"</h2>{findings(checks)} })}
            }
            .into_any()
        }
    }
}
