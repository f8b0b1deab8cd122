//! Small controls.

mod combobox;
mod copy_button;
mod decisions;
mod drop_panel;
mod handler;
mod message;
mod number_field;
mod segments;
mod select;
mod term;
mod timeline;
mod when;

pub(crate) use combobox::Combobox;
pub(crate) use copy_button::CopyButton;
pub(crate) use decisions::DecisionTable;
pub(crate) use drop_panel::{ChooseFiles, DropPanel, TakeFiles};
pub(crate) use handler::handler;
pub(crate) use message::MessageBox;
pub(crate) use number_field::NumberField;
pub(crate) use segments::Segments;
pub(crate) use select::Select;
pub(crate) use term::Glossed;
pub(crate) use timeline::Timeline;
pub(crate) use when::When;
