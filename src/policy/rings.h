/* Velocity: exact counts of an entity's recent events. A series is what a rule counts: events of a kind of entity, perhaps only
 * those with a mark, of a type, or that got an action. Each entity has, in each series that the policy names, a ring of the
 * times of its last 64 such events: counts are exact up to 63, and 64 means 64 or more.
 *
 * Rings come from memory reserved at open and touched at first use; with all in use, the one not used for longest, roughly,
 * is given to the new entity. Invariant: the same events in the same order give the same rings. */
#ifndef FL_POLICY_RINGS_H
#define FL_POLICY_RINGS_H

#include "base/file.h"
#include "policy/policy.h"

enum { FL_RING_EVENTS = 64 };

/* most: rings of each series; 0: 1,000,000. previous (NULL: none): series that both policies name are moved over, and previous
 * is left without them. Other series begin empty: fl_rings_begun tells from when they count. */
florin_status fl_rings_open(fl_rings **out, const fl_policy *p, uint32_t most, fl_rings *previous,
                            florin_error *err);
void fl_rings_close(fl_rings *r);
/* Events of `hash` in (time_us - window_us, time_us] so far, at most 64. 0: none, or no such entity. */
uint32_t fl_rings_count(const fl_rings *r, uint32_t series, uint64_t hash, int64_t time_us,
                        int64_t window_us);
/* Remember an event with its marks and what was decided; call once it is applied, after it was judged. Allocates nothing. */
void fl_rings_add(fl_rings *r, const fl_event *event, fl_action action);
/* Marks of an event that is remembered already become known. Allocates nothing. */
void fl_rings_marks(fl_rings *r, const fl_event *event, uint8_t fresh);
/* Ask for the memory of an event that comes soon. */
void fl_rings_fetch(const fl_rings *r, const fl_event *event);
void fl_rings_erase(fl_rings *r, int kind, uint64_t hash);  /* an entity is forgotten */
int64_t fl_rings_begun(const fl_rings *r, uint32_t series); /* INT64_MAX: saw no event yet */
uint64_t fl_rings_evicted(const fl_rings *r);
uint32_t fl_rings_used(const fl_rings *r, uint32_t series);
/* For checkpoints: into a file that is being written, and into rings that were just opened from what was written. Series that the
 * policy no longer names are passed over. FLORIN_EFORMAT damaged; FLORIN_ENOMEM more rings than there is room for. */
florin_status fl_rings_save(const fl_rings *r, fl_writer *w, florin_error *err);
florin_status fl_rings_restore(fl_rings *r, const uint8_t *bytes, size_t n, florin_error *err);

#endif
