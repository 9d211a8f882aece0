/* The entities most like one, and groups of alike entities. */
#ifndef FL_SIMILAR_ENTITIES_H
#define FL_SIMILAR_ENTITIES_H

#include "similar/near.h"
#include "similar/share.h"

typedef struct {
    uint32_t place; /* in the crowd */
    float cosine;
    uint32_t shares;
    fl_shared shared[FL_SHARED_MAX];
} fl_like_entity;

/* A crowd with all that is said of it. */
typedef struct {
    fl_crowd crowd;
    const fl_model *m;
    const fl_log *log;
    const fl_crowd_options *opt;
    uint32_t *code[FL_CATEGORIES_MAX]; /* [crowd.n] usual values (fl_share_usual) */
    uint32_t columns, *feature;        /* of the fold's features: which of the plan's */
} fl_known_crowd;
florin_status fl_known_crowd_new(fl_known_crowd *out, const fl_model *m, const fl_log *log,
                                 const fl_crowd_options *opt, const florin_context *ctx,
                                 florin_error *err);
void fl_known_crowd_free(fl_known_crowd *k);

/* The k nearest to the entity at a place of the crowd. out [k]; *n how many. */
florin_status fl_like_entities(fl_like_entity *out, uint32_t *n, uint32_t k, uint32_t place,
                               const fl_known_crowd *c, fl_by by, florin_error *err);

/* A group: what sets it apart are the features whose median in the group lies farthest from the crowd's, one a story, and
 * the values that are usual in it much more often than elsewhere. */
enum { FL_SEGMENT_SAYS = 6 };
typedef struct {
    uint32_t n, middle[3]; /* entities; places of the most central */
    uint32_t says;
    char text[FL_SEGMENT_SAYS][FL_WORDS_MAX + 64];
} fl_segment;
/* k groups of unit vectors by k-means (Lloyd 1982; seeds by Arthur & Vassilvitskii 2007), the largest first; spherical: the
 * middle of a group is a unit vector (Dhillon & Modha 2001). out [k]; of [crowd.n] (NULL: not wanted): each one's group. */
florin_status fl_segments(fl_segment *out, uint32_t *of, uint32_t k, const fl_known_crowd *c,
                          fl_by by, uint64_t seed, const florin_context *ctx, florin_error *err);

#endif
