/* Two tables: what is new goes into one; when it is full the other, older one is emptied and takes its place. */
#include "score/journal_index.h"
#include "score/table.h"

typedef struct {
    uint64_t hash, sequence; /* sequence 0: free */
} slot;

typedef struct {
    slot *slot; /* [slots] open addressing */
    void *block;
    uint32_t count;
} table;

struct fl_journal_index {
    table new, old;
    uint32_t entries, slots; /* slots: power of two, at least twice the entries */
};

florin_status fl_journal_index_open(fl_journal_index **out, uint32_t entries, florin_error *err)
{
    fl_journal_index *x = *out = fl_calloc(1, sizeof *x);
    if (!x) return fl_fail(err, FLORIN_ENOMEM, "index of the journal");
    x->entries = entries;
    x->slots = 16;
    while (x->slots < 2 * (uint64_t)entries) x->slots *= 2;
    x->new.slot = fl_pages(x->slots, sizeof(slot), &x->new.block);
    x->old.slot = fl_pages(x->slots, sizeof(slot), &x->old.block);
    if (x->new.slot && x->old.slot) return FLORIN_OK;
    fl_journal_index_close(x);
    *out = NULL;
    return fl_fail(err, FLORIN_ENOMEM, "index of the journal: %u entries", entries);
}

void fl_journal_index_close(fl_journal_index *x)
{
    if (!x) return;
    free(x->new.block);
    free(x->old.block);
    free(x);
}

/* Where hash is, or would be. */
static slot *place(const fl_journal_index *x, const table *t, uint64_t hash)
{
    uint32_t i = (uint32_t)fl_mix64(hash) & (x->slots - 1);
    while (t->slot[i].sequence && t->slot[i].hash != hash) i = (i + 1) & (x->slots - 1);
    return &t->slot[i];
}

uint64_t fl_journal_index_find(const fl_journal_index *x, uint64_t hash)
{
    uint64_t sequence = place(x, &x->new, hash)->sequence;
    return sequence ? sequence : place(x, &x->old, hash)->sequence;
}

void fl_journal_index_put(fl_journal_index *x, uint64_t hash, uint64_t sequence)
{
    slot *at = place(x, &x->new, hash);
    if (!at->sequence && x->new.count == x->entries) {
        table old = x->old;
        x->old = x->new;
        memset(old.slot, 0, x->slots * sizeof *old.slot);
        old.count = 0;
        x->new = old;
        at = place(x, &x->new, hash);
    }
    x->new.count += !at->sequence;
    *at = (slot){hash, sequence};
}
