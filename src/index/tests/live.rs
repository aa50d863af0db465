//! Runs one list of operations through the index and through the model.

use super::facts::*;
use super::model::*;
use crate::entry::{Meta, Retention, Unit};
use crate::event::{Archived, BlobRef, Body, EntryRanges, Event, PurgedEntries, Source};
use crate::id::{EntryId, PackId};
use crate::index::text::fold;
use crate::index::*;

/// The index as the program uses it: an overlay that is written, frozen layers, and the tables.
pub(super) struct Live {
    pub(super) index: Index,
    pub(super) below: View,
    pub(super) top: Overlay,
}

impl Live {
    pub(super) fn new() -> Self {
        let index = Index::in_memory(STORE).expect("memory");
        let below = index.view(Vec::new()).expect("memory");
        let top = below.overlay();
        Self { index, below, top }
    }

    pub(super) fn view(&self) -> View {
        self.below.under(self.top.clone())
    }

    pub(super) fn freeze(&mut self) {
        self.below = self.below.under(self.top.clone());
        self.top = self.below.overlay();
    }

    pub(super) fn checkpoint(&mut self) {
        self.freeze();
        for layer in self.below.layers.iter().rev() {
            self.index.commit(layer).expect("memory");
        }
        self.below = self.index.view(Vec::new()).expect("memory");
        self.top = self.below.overlay();
    }
}

/// Applies operations to a model and to an index, and returns both with the events.
pub(super) fn run(ops: &[Op]) -> (Model, Live, Vec<Event>) {
    let (mut model, mut live, mut events) = (Model::default(), Live::new(), Vec::new());
    for op in ops {
        let Live { below, top, .. } = &mut live;
        match op {
            Op::Record(body) => {
                let event = model.event(body);
                model.fold(&event);
                top.apply(&event, below).expect("sound");
                top.apply(&event, below)
                    .expect("a second time changes nothing");
                events.push(event);
            }
            Op::Skip(events) => model.seq += events,
            Op::Clock(micros) => model.micros += micros,
            Op::Place { content, pack } => {
                model.places.insert(*content, *pack);
                top.place(&placement(*content, *pack), below)
                    .expect("sound");
                if model.packs.insert(*pack) {
                    top.add_pack(&pack_row(*pack), below).expect("sound");
                }
            }
            Op::DropPack(pack) => {
                model.places.retain(|_, of| of != pack);
                model.packs.remove(pack);
                top.drop_pack(PackId(*pack), None, below).expect("sound");
            }
            Op::Freeze => live.freeze(),
            Op::Checkpoint => live.checkpoint(),
        }
    }
    (model, live, events)
}

pub(super) fn dump(view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    view.dump(|line| lines.push(line)).expect("sound");
    lines
}

/// Returns numbers that look random but never change between runs.
pub(super) fn scatter(n: u64) -> u64 {
    let n = (n ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (n ^ (n >> 29)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 20
}

/// A realistic archive: some thousand entries over three spans, with clocks set back, part of it
/// converted and purged.
pub(super) fn plant() -> (Model, Live) {
    let mut ops = Vec::new();
    for n in 0..3000 {
        let pick = |words: &[&str], salt: u64| {
            let at = scatter(n * 7 + salt) % (words.len() as u64 + 1);
            words
                .get(usize::try_from(at).expect("small"))
                .map(|word| (*word).to_owned())
        };
        let converter = pick(CONVERTERS, 1).unwrap_or_else(|| "AOI".into());
        // This converter's file names sort last, so a search for it alone has to pass many other
        // entries.
        let late = if fold(&converter) == "ict csv" {
            "z"
        } else {
            ""
        };
        ops.push(Op::Record(Body::Archived(Archived {
            converter,
            converter_version: None,
            source: Source {
                name: format!("{late}unit-{:05}.csv", scatter(n) % 100_000),
                path: "/in".into(),
                ..Source::default()
            },
            blob: BlobRef {
                size: scatter(n + 9) % 500,
                ..blob(u8::try_from(n % u64::from(CONTENTS)).expect("small"))
            },
            stored_size: 10,
            duplicate: false,
            unit: Unit {
                serial: (n % 9 != 0).then(|| format!("SN-{:04}", scatter(n + 3) % 2500)),
                part: pick(PARTS, 2),
                station: pick(STATIONS, 3),
                process: None,
            },
            meta: Meta::new(),
            arguments: Meta::new(),
            retention: Retention::Forever,
            key: None,
            facts_only: false,
        })));
        match n {
            900 | 2100 => ops.push(Op::Skip(65_000)),
            700 | 1500 | 2950 => ops.push(Op::Checkpoint),
            _ if n % 150 == 0 => ops.push(Op::Clock(-400_000_000)),
            _ => {}
        }
    }
    ops.push(Op::Record(Body::PurgedEntries(PurgedEntries {
        plan_id: "p".into(),
        rule: "too many".into(),
        class: None,
        bypassed: Vec::new(),
        part: None,
        through: None,
        reason: String::new(),
        entries: EntryRanges::of((100..700).step_by(3).map(EntryId)),
        count: 200,
        bytes_logical: 0,
        final_at: None,
    })));
    let (model, live, _) = run(&ops);
    (model, live)
}
