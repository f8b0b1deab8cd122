//! The state of the page: one question; everything else follows from it or from the search.

use std::sync::Arc;

use engine::coverage::Atlas;
use engine::link;
use engine::manifest::Options;
use engine::scenario::{Place, Scenario};
use engine::text::Message;
use engine::view::Point;
use gloo::timers::callback::Timeout;
use leptos::prelude::*;
use perf_data::Index;

use crate::draw::palette::Palette;
use crate::reactive::{effect, memo};
use crate::services::engine::{Engine, Phase};
use crate::services::papers::Papers;
use crate::services::replay::Replay;
use crate::services::theme::{self, Theme};
use crate::services::{location, packs, screen};
use crate::view_model::export::Tab;
use crate::view_model::fragment::{Fragment, Screen};
use crate::view_model::key;
use crate::view_model::replay::{self, Form};
use crate::view_model::shown::{Shown, show};
use crate::view_model::today::{Standing, Today, standing};

/// A configuration set aside, with the question it answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pin {
    pub(crate) key: String,
    pub(crate) scenario: Scenario,
    pub(crate) point: Point,
    /// Backend and GPU system, where the question asks for several.
    pub(crate) place: Option<Place>,
}

/// More pins than this cannot be compared.
pub(crate) const MAX_PINS: usize = 6;

/// Browsers refuse more than a few address changes per second, so that a drag writes when it rests.
const ADDRESS_REST_MS: u32 = 150;

/// The state, shared by context.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// The question on the form.
    pub(crate) scenario: RwSignal<Scenario>,
    /// The search.
    pub(crate) engine: Engine,
    /// The last answer under the question on the form.
    pub(crate) shown: Memo<Option<Arc<Shown>>>,
    /// Name of the selected point; none follows the best.
    pub(crate) selected: RwSignal<Option<String>>,
    /// The point shown in full, as an index.
    pub(crate) focus: Memo<Option<usize>>,
    /// What runs today, once it was brought along.
    pub(crate) today: RwSignal<Option<Today>>,
    /// How it stands against the answer, or why that cannot be said.
    pub(crate) standing: Memo<Option<Result<Standing, Message>>>,
    /// The point under the pointer, in chart or table.
    pub(crate) hovered: RwSignal<Option<usize>>,
    /// Whether the card at the selected point stays open.
    pub(crate) held: RwSignal<bool>,
    /// The screen.
    pub(crate) screen: RwSignal<Screen>,
    /// The tab of the export screen.
    pub(crate) tab: RwSignal<Tab>,
    /// What was decided there.
    pub(crate) options: RwSignal<Options>,
    /// Who writes manifests.
    pub(crate) papers: Papers,
    /// Who replays traffic.
    pub(crate) replay: Replay,
    /// Price of a GPU-hour, once typed.
    pub(crate) price: RwSignal<Option<f64>>,
    /// Configurations set aside.
    pub(crate) pins: RwSignal<Vec<Pin>>,
    /// Which data exist.
    pub(crate) index: RwSignal<Option<Arc<Index>>>,
    /// Which models answer where, once it was needed.
    pub(crate) coverage: RwSignal<Option<Arc<Atlas>>>,
    /// Whether that could not be had.
    pub(crate) coverage_failed: RwSignal<bool>,
    /// What was not understood in the link.
    pub(crate) notices: RwSignal<Vec<String>>,
    /// Identity of the data that the link was made on.
    pub(crate) link_data: RwSignal<Option<String>>,
    /// The chosen theme.
    pub(crate) theme: RwSignal<Theme>,
    /// Its colours.
    pub(crate) palette: RwSignal<Palette>,
    /// Which glossary card is open.
    pub(crate) open_term: RwSignal<Option<u32>>,
    /// The answer that the document brought along, until the search has its own.
    pub(crate) first_paint: StoredValue<Option<String>>,
    committed: StoredValue<String>,
    pending: StoredValue<Option<Timeout>, LocalStorage>,
}

fn tab_of(word: Option<&str>) -> Tab {
    word.and_then(Tab::from_word).unwrap_or_default()
}

/// The form of the replay that an address asks for.
fn replay_of(fragment: &Fragment) -> Form {
    let words = fragment.tab.as_deref().filter(|_| fragment.screen == Screen::Replay);
    replay::read(words.unwrap_or_default())
}

/// The state of the page.
pub(crate) fn use_page() -> Page {
    expect_context::<Page>()
}

impl Page {
    /// Reads the address, starts the search and everything that follows from the state.
    pub(crate) fn start() -> Self {
        let (query, fragment) = location::read();
        let parsed = link::parse(&query);
        let fragment = Fragment::parse(&fragment);
        // It answers the first question and no other.
        let first_paint =
            screen::take_markup("first-answer").filter(|_| parsed.scenario == Scenario::default());
        let scenario = RwSignal::new(parsed.scenario);
        let replayed = replay_of(&fragment);
        let selected = RwSignal::new(fragment.point);
        let engine = Engine::start();
        let answer = engine.answer;
        let shown = Memo::new_with_compare(
            move |_| answer.get().map(|answer| scenario.with(|asked| Arc::new(show(&answer, asked)))),
            |_, _| true,
        );
        let focus =
            memo(move || shown.get().and_then(|shown| selected.with(|name| shown.focus(name.as_deref()))));
        let today = RwSignal::new(fragment.today.as_deref().and_then(Today::from_name));
        let standing = memo(move || {
            let (shown, today) = (shown.get()?, today.get()?);
            let (candidate, outcome) = engine.priced.get()?;
            let priced = (today.candidate(&shown)? == candidate).then_some(outcome)?;
            let rows = answer.get()?.rows.clone();
            Some(priced.map(|priced| standing(&rows, &shown, &priced)))
        });
        let theme = theme::remembered();
        theme::apply(theme);
        let page = Self {
            scenario,
            engine,
            shown,
            selected,
            focus,
            today,
            standing,
            hovered: RwSignal::new(None),
            held: RwSignal::new(false),
            screen: RwSignal::new(fragment.screen),
            tab: RwSignal::new(tab_of(fragment.tab.as_deref())),
            options: RwSignal::new(Options::default()),
            papers: Papers::new(),
            replay: Replay::new(replayed),
            price: RwSignal::new(None),
            pins: RwSignal::new(Vec::new()),
            index: RwSignal::new(None),
            coverage: RwSignal::new(None),
            coverage_failed: RwSignal::new(false),
            notices: RwSignal::new(parsed.notices.iter().map(engine::text::notice).collect()),
            link_data: RwSignal::new(parsed.data),
            theme: RwSignal::new(theme),
            palette: RwSignal::new(theme::palette()),
            open_term: RwSignal::new(None),
            first_paint: StoredValue::new(first_paint),
            committed: StoredValue::new(String::new()),
            pending: StoredValue::new_local(None),
        };
        page.follow();
        page
    }

    fn follow(self) {
        effect(move || {
            self.scenario.with(|scenario| self.engine.ask(scenario));
            self.hovered.set(None);
        });
        effect(move || {
            let address = self.address();
            let rest = Timeout::new(ADDRESS_REST_MS, move || location::replace(&address));
            self.pending.set_value(Some(rest));
        });
        effect(move || {
            if let (Some(index), true) =
                (self.focus.get(), self.engine.phase.with(|phase| *phase == Phase::Done))
                && let Some(candidate) =
                    self.shown.get().and_then(|shown| shown.view.points.get(index).map(Point::candidate))
            {
                self.engine.explain(candidate);
            }
        });
        effect(move || {
            let done = self.engine.phase.with(|phase| *phase == Phase::Done);
            if let (true, Some(today), Some(shown)) = (done, self.today.get(), self.shown.get_untracked())
                && let Some(candidate) = today.candidate(&shown)
            {
                self.engine.price(candidate);
            }
        });
        effect(move || {
            theme::apply(self.theme.get());
            self.palette.set(theme::palette());
        });
        theme::on_system_change(move || self.palette.set(theme::palette()));
        location::on_back(move || self.read_address());
        self.committed.set_value(self.address_untracked());
        // What answers where can wait for the first answer, unless it is what is looked at.
        let wanted = memo(move || {
            self.screen.get() == Screen::Coverage || self.engine.phase.with(|phase| *phase == Phase::Done)
        });
        effect(move || {
            let missing = self.coverage.with_untracked(Option::is_none);
            if let (true, true, Some(index)) = (wanted.get(), missing, self.index.get()) {
                leptos::task::spawn_local(async move {
                    let atlas = packs::fetch_coverage(&index).await;
                    self.coverage_failed.set(atlas.is_none());
                    self.coverage.set(atlas.map(Arc::new));
                });
            }
        });
        leptos::task::spawn_local(async move {
            if let Some(index) = packs::fetch_index().await {
                self.index.set(Some(Arc::new(index)));
            }
        });
    }

    /// The state as an address: query and fragment.
    pub(crate) fn address(self) -> String {
        let scenario = self.scenario.get();
        let fragment = Fragment {
            screen: self.screen.get(),
            tab: self.tab_word(),
            point: self.selected.get(),
            today: self.today.with(|today| today.as_ref().map(Today::name)),
        };
        format!("?{}{}", link::write(&scenario, self.data_of(&scenario).as_deref()), fragment.write())
    }

    /// Query and fragment that lead to the point shown in full, on the chart.
    pub(crate) fn point_address(self) -> String {
        let scenario = self.scenario.get();
        let point = self.shown.get().and_then(|shown| {
            let point = shown.view.points.get(self.focus.get()?)?;
            Some(key::key(&shown, point))
        });
        let fragment = Fragment { point, ..Fragment::default() };
        format!("?{}{}", link::write(&scenario, self.data_of(&scenario).as_deref()), fragment.write())
    }

    /// What runs today, where it has figures.
    pub(crate) fn today_point(self) -> Option<Point> {
        self.standing.with(|standing| Some(standing.as_ref()?.as_ref().ok()?.point))
    }

    /// The tab of the screen, where it is not the first.
    fn tab_word(self) -> Option<String> {
        match self.screen.get() {
            Screen::Export => {
                let tab = self.tab.get();
                (tab != Tab::default()).then(|| tab.word().to_owned())
            }
            Screen::Replay => self.replay.form.with(replay::write),
            _ => None,
        }
    }

    fn address_untracked(self) -> String {
        untrack(|| self.address())
    }

    /// Identity of the data that answer, or will answer, the question; the link's own until that is known.
    fn data_of(self, scenario: &Scenario) -> Option<String> {
        let known = self.engine.answer.with(|answer| {
            let answer = answer.as_ref()?;
            let asked = &answer.scenario;
            let same = asked.reach == scenario.reach
                && asked.system == scenario.system
                && asked.decode_system == scenario.decode_system
                && asked.backend == scenario.backend
                && asked.version == scenario.version
                // Which of several places have data depends on the model and its precisions.
                && (!asked.reach.is_wide()
                    || (asked.model == scenario.model
                        && asked.custom == scenario.custom
                        && asked.quant == scenario.quant));
            Some(same.then(|| answer.data.clone()))
        });
        known.unwrap_or_else(|| self.link_data.get())
    }

    /// Changes the question; the address follows without a trace until [`Page::commit`].
    pub(crate) fn edit(self, change: impl FnOnce(&mut Scenario)) {
        let before = self.scenario.get_untracked();
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            self.scenario.set(after);
        }
    }

    /// Makes the edits since the last commit one step of Back.
    pub(crate) fn commit(self) {
        let now = self.address_untracked();
        let before = self.committed.get_value();
        if now != before {
            self.pending.set_value(None);
            location::replace(&before);
            location::push(&now);
            self.committed.set_value(now);
        }
    }

    /// Changes the question in one step.
    pub(crate) fn set(self, scenario: Scenario) {
        self.edit(|now| *now = scenario);
        self.commit();
    }

    fn read_address(self) {
        self.pending.set_value(None);
        let (query, fragment) = location::read();
        let parsed = link::parse(&query);
        let fragment = Fragment::parse(&fragment);
        if fragment.screen == Screen::Replay {
            self.replay.form.set(replay_of(&fragment));
        }
        self.notices.set(parsed.notices.iter().map(engine::text::notice).collect());
        self.edit(|now| *now = parsed.scenario);
        self.selected.set(fragment.point);
        self.today.set(fragment.today.as_deref().and_then(Today::from_name));
        self.tab.set(tab_of(fragment.tab.as_deref()));
        self.screen.set(fragment.screen);
        self.committed.set_value(self.address_untracked());
    }

    /// Selects a point and holds its card open.
    pub(crate) fn select(self, index: usize) {
        let name = self
            .shown
            .get_untracked()
            .and_then(|shown| shown.view.points.get(index).map(|point| key::key(&shown, point)));
        self.selected.set(name);
    }

    /// Goes back to following the best.
    pub(crate) fn deselect(self) {
        self.held.set(false);
        self.selected.set(None);
    }

    /// Goes to a screen.
    pub(crate) fn go(self, screen: Screen) {
        self.screen.set(screen);
        self.commit();
    }

    /// Sets the point shown in full aside, or takes it back.
    pub(crate) fn toggle_pin(self) {
        let Some(shown) = self.shown.get_untracked() else { return };
        let Some(point) = self.focus.get_untracked().and_then(|index| shown.view.points.get(index)) else {
            return;
        };
        let scenario = shown.scenario.clone();
        let place = scenario.reach.is_wide().then(|| shown.place(point));
        let pin = Pin { key: key::key(&shown, point), scenario, point: *point, place };
        self.pins.update(|pins| {
            let same = |other: &Pin| other.key == pin.key && other.scenario == pin.scenario;
            if let Some(at) = pins.iter().position(same) {
                pins.remove(at);
            } else if pins.len() < MAX_PINS {
                pins.push(pin);
            }
        });
    }

    /// Whether the point shown in full is set aside.
    pub(crate) fn is_pinned(self) -> bool {
        let Some(shown) = self.shown.get() else { return false };
        let Some(point) = self.focus.get().and_then(|index| shown.view.points.get(index)) else {
            return false;
        };
        let name = key::key(&shown, point);
        self.pins.with(|pins| pins.iter().any(|pin| pin.key == name && pin.scenario == shown.scenario))
    }

    /// Brings a pin and its question back.
    pub(crate) fn recall(self, at: usize) {
        if let Some(pin) = self.pins.with_untracked(|pins| pins.get(at).cloned()) {
            self.selected.set(Some(pin.key));
            self.set(pin.scenario);
        }
    }
}
