//! Plans of different entries as one plan.

use super::PurgePlan;
use super::words::{BYPASS_GOVERNANCE, EVEN_WAITING};

impl PurgePlan {
    /// Returns plans of different entries as one: plans that are carried out one after the other
    /// make each other stale. A plan with a name is that of a converter's keys, and its items get
    /// the name as their class. `None` without plans.
    ///
    /// Content that entries of two plans share counts as needed.
    pub(crate) fn merged(plans: Vec<(Option<&str>, Self)>) -> Option<Self> {
        let mut plans = plans.into_iter().map(|(class, plan)| plan.of_class(class));
        let mut all = plans.next()?;
        for plan in plans {
            all.at_seq = all.at_seq.min(plan.at_seq);
            all.rules.extend(plan.rules);
            all.items.extend(plan.items);
            all.count += plan.count;
            all.parts += plan.parts;
            all.bytes_logical += plan.bytes_logical;
            all.bytes_freed += plan.bytes_freed;
            all.bytes_freed_at_once += plan.bytes_freed_at_once;
            all.held_skipped += plan.held_skipped;
            all.waiting_skipped += plan.waiting_skipped;
            all.locked_skipped += plan.locked_skipped;
            all.undated_skipped += plan.undated_skipped;
            all.oldest = [all.oldest, plan.oldest].into_iter().flatten().min();
            all.newest = [all.newest, plan.newest].into_iter().flatten().max();
        }
        all.reason = all.rules.join(", ");
        all.items.sort_by_key(|item| (item.id, item.part));
        all.plan_id = all.digest();
        Some(all)
    }

    /// Returns the plan with a class for the items and rules that have none.
    fn of_class(mut self, class: Option<&str>) -> Self {
        let Some(name) = class else {
            return self;
        };
        for item in &mut self.items {
            item.class.get_or_insert_with(|| name.to_owned());
        }
        let is_plain = |rule: &String| rule == EVEN_WAITING || rule == BYPASS_GOVERNANCE;
        let (options, rules): (Vec<String>, Vec<String>) =
            self.rules.into_iter().partition(is_plain);
        let own = rules
            .into_iter()
            .filter(|rule| !rule.starts_with("class '"));
        let own = own.collect::<Vec<_>>().join(", ");
        self.rules = vec![format!("class '{name}': {own}")];
        self.rules.extend(options);
        self
    }
}
