/* A flat map of entities: where each lies among the others, coloured by a field. */
#ifndef FL_SIMILAR_MAP_H
#define FL_SIMILAR_MAP_H

#include "similar/entities.h"

enum { FL_MAP_MOST = 4000, FL_MAP_CLASSES = 8 };

/* As florin report draws it: {report: "map", entity, colour, by, entities, shown, explained: [share of the variance on either
 * axis], classes: [{name, entities}], ordered, points: [[x, y, class], ...]}. The axes are the first two principal components
 * (Pearson 1901) of the standardised vectors; of more than FL_MAP_MOST entities that many are drawn, by a hash. colour: a
 * category field (an entity's usual value; the most frequent seven, and others) or a feature of the fold (its fifths, in
 * order). FLORIN_EUSAGE names the nearest when it is neither. */
florin_status fl_map_json(json_t **out, const fl_known_crowd *k, fl_by by, const char *colour,
                          const florin_context *ctx, florin_error *err);

#endif
