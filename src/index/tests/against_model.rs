//! Property tests: after any operations, the index answers as the model does.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::facts::*;
use super::live::*;
use super::model::Job;
use super::questions::*;
use crate::entry::{Entry, Outcome, Status};
use crate::index::terms::maker_term;
use crate::index::*;
use crate::query::Query;
use crate::time::Timestamp;

fn causes_of(entry: &Entry) -> BTreeSet<Vec<u8>> {
    let causes = entry.causes().into_iter();
    causes.map(|cause| cause.id.as_bytes().to_vec()).collect()
}

fn makers_of(entry: &Entry) -> BTreeSet<Vec<u8>> {
    let mut made = entry.attempts.iter().rev();
    let made = made.find(|attempt| attempt.status == Outcome::Success);
    let maker = made.and_then(|made| Some(maker_term(&made.converter, &made.converter_id?)));
    maker.into_iter().map(|term| term.to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_a_look_at_every_entry_does(
        ops in ops(),
        queries in proptest::collection::vec((filters(), sorts(), 1_usize..7), 12),
        words in proptest::collection::vec(
            text(&["sn-1", "SN-10", "unit-00", "a.csv", "P-7", "r-1", "3", "ΟΔ", "17", LONG, "a-very"]), 4),
    ) {
        let (model, live, _) = run(&ops);
        let view = live.view();
        let all = model.all();
        let mut walked = Vec::new();
        view.walk_oldest(|entry| {
            walked.push(entry);
            std::ops::ControlFlow::Continue(())
        }).expect("sound");
        let alive = all.iter().filter(|entry| entry.purged_at.is_none()).cloned();
        prop_assert_eq!(walked, alive.collect::<Vec<_>>());
        for entry in &all {
            let found = view.entry(entry.id).expect("sound");
            prop_assert_eq!(found.as_ref(), Some(entry));
        }
        let edges = [i64::MIN, -4_000_000_000, 0, 3, 86_400_000_000, 100_000_000_000];
        for (filter, sort, limit) in &queries {
            let counted = view.counts_over(filter, &edges).expect("sound");
            let counted: Vec<_> = counted.iter().map(|of| (of.by_status, of.bytes)).collect();
            let mut expected = vec![([0; Status::ALL.len()], 0); edges.len() - 1];
            for entry in all.iter().filter(|entry| selects(filter, entry)) {
                let at = entry.archived_at.micros();
                let period = edges.windows(2).position(|edge| (edge[0]..edge[1]).contains(&at));
                if let Some(period) = period {
                    let status = Status::ALL.iter().position(|status| *status == entry.status);
                    expected[period].0[status.expect("known")] += 1;
                    expected[period].1 += entry.size;
                }
            }
            prop_assert_eq!(counted, expected, "{:?}", filter);
            let expected: Vec<Entry> = all.iter().filter(|entry| selects(filter, entry)).cloned().collect();
            prop_assert_eq!(view.count(filter).expect("sound"), expected.len() as u64, "{:?}", filter);
            let expected = in_order(expected, *sort);
            let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id.0).collect::<Vec<_>>();
            prop_assert_eq!(ids(&whole(&view, filter, *sort)), ids(&expected), "{:?} {:?}", filter, sort);
            prop_assert_eq!(ids(&paged(&view, filter, *sort, *limit)), ids(&expected), "{:?} {:?}", filter, sort);
            for (groups, terms) in [
                (view.groups_by_cause(filter), causes_of as fn(&Entry) -> BTreeSet<Vec<u8>>),
                (view.groups_by_maker(filter), makers_of),
            ] {
                let groups = groups.expect("sound");
                let mut anew: BTreeMap<Vec<u8>, (u64, u64, u64)> = BTreeMap::new();
                for entry in all.iter().filter(|entry| selects(filter, entry)) {
                    for term in terms(entry) {
                        let id = entry.id.0;
                        let known = anew.entry(term).or_insert((0, id, id));
                        *known = (known.0 + 1, known.1.min(id), known.2.max(id));
                    }
                }
                let found = groups.into_iter().map(|(term, group)| {
                    (term, (group.entries, group.oldest.0, group.newest.0))
                });
                prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), anew, "{:?}", filter);
            }
            let rest = view.query(&Query {
                filter: filter.clone(), sort: *sort, limit: Some(*limit), offset: 3, after: None,
            }).expect("sound");
            let from = expected.len().min(3);
            let to = expected.len().min(3 + limit);
            prop_assert_eq!(ids(&rest.entries), ids(&expected[from..to]));
        }
        for content in 0..CONTENTS {
            let content = blob(content).blake3;
            let has_it = |entry: &&Entry| entry.blake3 == content;
            let expected: Vec<_> = all.iter().filter(has_it).map(|entry| entry.id).collect();
            let found = view.with_source(&content).expect("sound");
            let found: Vec<_> = found.iter().map(|entry| entry.id).collect();
            prop_assert_eq!(found, expected);
        }
        let hash = blob(5).sha256.to_string();
        for word in words.iter().map(String::as_str).chain([&hash[..], &hash[..7], &hash[..20]]) {
            let mut ranked = [Vec::new(), Vec::new(), Vec::new()];
            for entry in all.iter().rev() {
                if let Some(rank) = answers(entry, word) {
                    ranked[rank].push(entry.id.0);
                }
            }
            let exact = ranked.concat();
            for limit in [3, 1000] {
                let found: Vec<u64> = view.find(word, limit).expect("sound").iter().map(|entry| entry.id.0).collect();
                prop_assert_eq!(&found[..], &exact[..exact.len().min(limit)], "{} {}", word, limit);
            }
        }
    }

    #[test]
    fn what_blobs_packs_and_counters_say_can_be_counted_anew(ops in ops()) {
        let (model, live, _) = run(&ops);
        let view = live.view();
        let (named, refs) = (model.named(), model.refs());
        let mut packs: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for content in 0..CONTENTS {
            let id = blob(content).blake3;
            let row = view.blob(&id).expect("sound");
            let place = model.places.get(&content);
            prop_assert_eq!(row.map_or(0, |row| row.refs), refs[&content]);
            prop_assert_eq!(row.map_or(0, |row| row.named), named.get(&id).copied().unwrap_or(0));
            prop_assert_eq!(row.and_then(|row| row.place).map(|place| place.pack.0), place.copied());
            prop_assert_eq!(row.is_some(), refs[&content] > 0 || place.is_some());
            let cut = if place.is_some() { children(content) } else { Vec::new() };
            prop_assert_eq!(&*view.children(&id).expect("sound"), &cut[..]);
            if let (Some(pack), true) = (place, refs[&content] > 0) {
                let live = packs.entry(*pack).or_default();
                live.0 += u64::from(content) + 5;
                live.1 += 1;
            }
        }
        let expected: Vec<PackRow> = model.packs.iter().map(|pack| {
            let (live_bytes, live_blobs) = packs.get(pack).copied().unwrap_or_default();
            PackRow { live_bytes, live_blobs, ..pack_row(*pack) }
        }).collect();
        prop_assert_eq!(view.packs().expect("sound"), expected);
        let in_no_pack = (0..CONTENTS).filter(|content| refs[content] > 0 && !model.places.contains_key(content));
        prop_assert_eq!(view.needed_in_no_pack().expect("sound"), in_no_pack.count() as u64);

        let stats = view.stats().expect("sound");
        let all = model.all();
        let alive = || all.iter().filter(|entry| entry.purged_at.is_none());
        let unique: u64 = (0..CONTENTS).map(blob).filter(|blob| named.contains_key(&blob.blake3)).map(|blob| blob.size).sum();
        prop_assert_eq!(stats.unique_bytes, unique);
        prop_assert_eq!(stats.oldest.map(Timestamp::micros), alive().map(|entry| entry.archived_at.micros()).min());
        prop_assert_eq!(stats.newest.map(Timestamp::micros), alive().map(|entry| entry.archived_at.micros()).max());
        let mut groups: BTreeMap<(String, i64, Status, bool), (u64, u64)> = BTreeMap::new();
        for entry in &all {
            let key = (entry.converter.clone(), entry.archived_at.day(), entry.status, entry.purged_at.is_some());
            let group = groups.entry(key).or_default();
            group.0 += 1;
            group.1 += entry.size;
        }
        let counted: BTreeMap<_, _> = stats.groups.into_iter().map(|group| {
            ((group.converter, group.day, group.status, group.purged), (group.entries, group.bytes))
        }).collect();
        prop_assert_eq!(counted, groups);

        for (key, id) in &model.keys {
            prop_assert_eq!(view.key(key).expect("sound"), Some(*id));
        }
        for (id, expected) in &model.jobs {
            let job = view.job(*id).expect("sound").expect("there");
            let RecordedJob { selection_events, stopped, finished, .. } = job;
            prop_assert_eq!(&Job { selection_events, stopped, finished }, expected);
        }
        prop_assert_eq!(view.promotions().expect("sound"), model.promotions.clone());
        let views = view.saved_views().expect("sound");
        for (name, row) in &views {
            prop_assert_eq!(view.saved_view(name).expect("sound"), Some(row.clone()));
        }
        let views = views.into_iter().map(|(name, row)| (name, (row.query, row.event)));
        prop_assert_eq!(views.collect::<BTreeMap<_, _>>(), model.views.clone());
        prop_assert_eq!(view.saved_view("none").expect("sound"), None);
        for id in model.bundles.keys() {
            let known = model.environments.get(id).cloned().unwrap_or_default();
            prop_assert_eq!(view.environments(id).expect("sound"), known);
        }
        prop_assert_eq!(view.config("limit").expect("sound"), model.config.clone());
        prop_assert_eq!(view.converters().expect("sound").len(), model.bundles.len());
        prop_assert_eq!(view.converter_named("ict").expect("sound").is_some(), !model.bundles.is_empty());
        prop_assert_eq!(view.waiting(), model.queue.len() as u64);
        prop_assert_eq!(view.plans_stale_since().0, model.plans_stale_since);
        let mut queues = BTreeSet::new();
        for converter in MAKERS {
            let expected = model.queue.of(converter, &model.entries);
            let queue = |after, limit| view.queue(converter, after, limit).expect("sound");
            let whole = queue(None, usize::MAX);
            let told: Vec<_> = whole.iter().map(|(place, row)| {
                ((row.entry, row.attempt.0, place.report), row.since, row.rejections, row.intended)
            }).collect();
            prop_assert_eq!(told, &expected[..]);
            let (mut paged, mut after) = (Vec::new(), None);
            while let Some(last) = { paged.extend(queue(after, 2)); paged.last() }.filter(|last| Some(last.0) != after) {
                after = Some(last.0);
            }
            prop_assert_eq!(paged, whole);
            queues.extend((!expected.is_empty()).then(|| (*converter).to_owned()));
        }
        prop_assert_eq!(view.queues().expect("sound"), queues);
        let locks = view.locks();
        let locks = locks.iter().map(|lock| (lock.name.clone(), (lock.keep.months, lock.mode)));
        prop_assert_eq!(locks.collect::<BTreeMap<_, _>>(), model.locks);
        prop_assert!(view.holds().keys().eq(model.holds.keys()));
        let held = view.under_holds().expect("sound");
        for (name, hold) in view.holds() {
            let on = || all.iter().filter(|entry| entry.holds.contains(&name));
            let alive = on().filter(|entry| entry.purged_at.is_none());
            let bytes = alive.map(|entry| entry.contents_left().map(|(_, bytes)| bytes).sum::<u64>()).sum();
            let sum = held.get(&name).copied().unwrap_or_default();
            prop_assert_eq!((sum.entries, sum.bytes), (on().count() as u64, bytes));
            prop_assert_eq!(hold.review, model.holds[&name].review);
        }
        prop_assert_eq!(stats.pending_entries, model.pending.len() as u64);
        let plans: BTreeMap<String, u64> = view.pending_purges().into_iter().map(|(plan, row)| (plan, row.entries)).collect();
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for plan in model.pending.values() {
            *expected.entry(plan.clone()).or_default() += 1;
        }
        prop_assert_eq!(plans, expected);
    }

    #[test]
    fn an_index_made_anew_is_the_same_to_the_last_byte(ops in ops()) {
        let (model, mut live, events) = run(&ops);
        let in_memory = dump(&live.view());
        live.checkpoint();
        let mut anew = Live::new();
        // Placements come first, because a rebuild reads the packs before the log.
        for (content, pack) in &model.places {
            anew.top.place(&placement(*content, *pack), &anew.below).expect("sound");
        }
        for pack in &model.packs {
            anew.top.add_pack(&pack_row(*pack), &anew.below).expect("sound");
        }
        for event in &events {
            anew.top.apply(event, &anew.below).expect("sound");
        }
        prop_assert_eq!(&in_memory, &dump(&anew.view()));
        anew.checkpoint();
        prop_assert_eq!(&in_memory, &dump(&anew.view()));
        prop_assert_eq!(live.below.raw(), anew.below.raw());
    }

    /// A rebuild writes blob rows as rarely as it can, and records placements between the events.
    #[test]
    fn an_index_made_in_parts_is_the_same_to_the_last_byte(
        ops in ops(),
        every in 1_usize..9,
        keep_bytes in select(vec![0, 700, usize::MAX]),
    ) {
        let (model, mut live, events) = run(&ops);
        live.checkpoint();
        let Live { index, mut below, mut top } = Live::new();
        top.begin_alone();
        let mut places = model.places.iter();
        for (nth, event) in events.iter().enumerate() {
            top.apply(event, &below).expect("sound");
            if let Some((content, pack)) = places.next() {
                top.place(&placement(*content, *pack), &below).expect("sound");
            }
            if nth % every == 0 {
                (below, top) = index.commit_half_made(&mut top, keep_bytes).expect("memory");
            }
        }
        for (content, pack) in places {
            top.place(&placement(*content, *pack), &below).expect("sound");
        }
        for pack in &model.packs {
            top.add_pack(&pack_row(*pack), &below).expect("sound");
        }
        index.commit(&top).expect("memory");
        let whole = index.view(Vec::new()).expect("memory");
        prop_assert_eq!(live.below.raw(), whole.raw());
    }
}
