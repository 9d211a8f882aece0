/* Lists that rules ask (`:card: in @blocked_cards`): hashes with expiry. What a policy file holds is put in at open; what is
 * added later comes through the journal. Entries of an entity are keyed hashes; others are fl_category_hash of the text.
 * Allocates at open only: each list has room for a number of entries that the policy names. */
#ifndef FL_POLICY_LISTS_H
#define FL_POLICY_LISTS_H

#include "policy/policy.h"

/* Lists of the policy, with the entries of its file. previous (NULL: none): what was added to lists of the same name and kind at
 * run time is taken along. */
florin_status fl_lists_open(fl_lists **out, const fl_policy *p, const fl_lists *previous,
                            florin_error *err);
void fl_lists_close(fl_lists *l);
uint32_t fl_lists_find(const fl_lists *l, const char *name); /* FL_NONE: none */
/* value: as a user writes it; hashed as the list's kind asks. until_us INT64_MAX: for ever. An entry that is there gets the new
 * end. FLORIN_ENOMEM: the list is full of entries that have not expired by now_us. Allocates nothing. */
uint64_t fl_lists_hash(const fl_policy *p, uint32_t list, const char *value, size_t n);
florin_status fl_lists_add(fl_lists *l, uint32_t list, uint64_t hash, int64_t until_us,
                           int64_t now_us, florin_error *err);
bool fl_lists_remove(fl_lists *l, uint32_t list, uint64_t hash);
void fl_lists_erase(fl_lists *l, uint64_t hash); /* from all lists */
bool fl_lists_has(const fl_lists *l, uint32_t list, uint64_t hash, int64_t at_us);
/* Until when it is there; INT64_MIN: it is not. */
int64_t fl_lists_until(const fl_lists *l, uint32_t list, uint64_t hash);
uint32_t fl_lists_count(const fl_lists *l, uint32_t list); /* also those that have expired */
/* Everything as bytes that fl_lists_restore takes, by list name: for checkpoints. */
void fl_lists_store(const fl_lists *l, fl_buf *out);
florin_status fl_lists_restore(fl_lists *l, const uint8_t *bytes, size_t n, florin_error *err);

#endif
