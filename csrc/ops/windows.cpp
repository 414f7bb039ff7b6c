// Checks and dimension numbers of gather and scatter. The checks follow XLA's
// shape inference in the order and with the words of JAX.
#include "ops/windows.h"

namespace cotan::ops {

namespace {

struct Checker {
  const char* op;  // "gather", "scatter"

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw_type("[", op, "] ", parts...);
  }
  void sorted(const Axes& dims, const char* name) const {
    for (size_t i = 1; i < dims.size(); ++i)
      if (dims[i] < dims[i - 1])
        fail(name, " in ", op, " op must be sorted; got ", tuple_string(dims));
  }
  void distinct(const Axes& dims, const char* name) const {
    for (size_t i = 0; i < dims.size(); ++i)
      if (contains(std::span(dims.data(), i), dims[i]))
        fail(name, " in ", op, " op must not repeat; got: ", tuple_string(dims),
             ".");
  }
  void in_range(const Axes& dims, int64_t rank, const char* name) const {
    for (int64_t d : dims)
      if (d < 0 || d >= rank)
        fail("Invalid ", name, " set in ", op, " op; valid range is [0, ", rank,
             "); got: ", d, ".");
  }
  void disjoint(const Axes& a, const Axes& b, const char* name_a,
                const char* name_b) const {
    for (int64_t d : a)
      if (contains(b, d))
        fail(name_a, " and ", name_b, " in ", op,
             " op must be disjoint; got: ", tuple_string(a), " and ",
             tuple_string(b), ".");
  }
  void integer(const Aval& indices) const {
    if (!is_int(indices.dtype))
      throw_value("[", op, "] indices must have an integer type, got ",
                  indices);
    if (indices.rank() == 0)
      fail("indices need a last dimension that holds the index vectors, got ",
           indices);
  }
};

Dims sizes_at(const Shape& shape, const Axes& dims) {
  Dims out;
  for (int64_t d : dims) out.push_back(shape[size_t(d)]);
  return out;
}

Axes shifted(const Axes& dims) {
  Axes out;
  for (int64_t d : dims) out.push_back(d + 1);
  return out;
}
Axes zero_and_shifted(const Axes& dims) {
  Axes out = shifted(dims);
  out.insert(out.begin(), 0);
  return out;
}

// What gather and scatter check alike: batching dimensions and the index map.
void check_batching(const Checker& c, const Aval& operand, const Aval& indices,
                    const WindowDims& d, const char* map_name,
                    const char* removed_name, const char* indices_name) {
  constexpr auto batching = "operand_batching_dims";
  std::string title = c.op;
  title[0] = char(title[0] - 'a' + 'A');
  c.distinct(d.operand_batch, batching);
  c.sorted(d.operand_batch, batching);
  c.in_range(d.operand_batch, operand.rank(), batching);
  c.disjoint(d.removed, d.operand_batch, removed_name, batching);
  c.disjoint(d.map, d.operand_batch, map_name, batching);
  c.distinct(d.indices_batch, indices_name);
  c.in_range(d.indices_batch, indices.rank(), indices_name);
  if (contains(d.indices_batch, indices.rank() - 1))
    c.fail(title,
           " op cannot have the index vector dimension as a batching "
           "dimension; got ",
           tuple_string(d.indices_batch), ".");
  if (d.operand_batch.size() != d.indices_batch.size())
    c.fail(title, " op requires equal numbers of operand_batching_dims and ",
           indices_name, ", got ", tuple_string(d.operand_batch), " and ",
           tuple_string(d.indices_batch), ".");
  Dims a = sizes_at(operand.shape, d.operand_batch);
  Dims b = sizes_at(indices.shape, d.indices_batch);
  if (a != b)
    c.fail(title,
           " op requires operand batching dimensions and indices batching "
           "dimensions to have the same shape, got ",
           shape_string(a), " and ", shape_string(b), ".");
}

void check_map(const Checker& c, const Aval& operand, const Aval& indices,
               const Axes& map, const char* name) {
  std::string title = c.op;
  title[0] = char(title[0] - 'a' + 'A');
  if (int64_t(map.size()) != indices.shape.back())
    c.fail(title, " op has ", map.size(), " elements in ", name,
           " and the bound of dimension index_vector_dim=", indices.rank() - 1,
           " of indices is ", indices.shape.back(),
           ". These two numbers must be equal.");
  for (size_t i = 0; i < map.size(); ++i)
    if (map[i] < 0 || map[i] >= operand.rank())
      c.fail("Invalid ", name, " mapping; domain is [0, ", operand.rank(),
             "), got: ", i, "->", map[i], ".");
  c.distinct(map, name);
}

void check_slice_sizes(const Checker& c, const Aval& operand,
                       const Aval& indices, const GatherParams& p) {
  const Dims& sizes = p.slice_sizes;
  if (operand.rank() != int64_t(sizes.size()))
    c.fail(
        "Gather op must have one slice size for every input dimension; got: "
        "len(slice_sizes)=",
        sizes.size(), ", input_shape.rank=", operand.rank());
  if (sizes.size() != p.offset_dims.size() + p.collapsed_slice_dims.size() +
                          p.operand_batching_dims.size())
    c.fail(
        "All components of the offset index in a gather op must either be a "
        "offset dimension or explicitly collapsed/batching; got "
        "len(slice_sizes)=",
        sizes.size(), ", output_slice_sizes=", tuple_string(p.offset_dims),
        ", collapsed_slice_dims=", tuple_string(p.collapsed_slice_dims),
        ", operand_batching_dims=", tuple_string(p.operand_batching_dims), ".");
  // Without windows any size will do.
  bool empty =
      contains(std::span(indices.shape.data(), indices.shape.size() - 1), 0);
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] < 0 || (!empty && sizes[i] > operand.shape[i]))
      c.fail("Slice size at index ", i,
             " in gather op is out of range, must be within [0, ",
             operand.shape[i], " + 1), got ", sizes[i], ".");
  for (size_t i = 0; i < p.collapsed_slice_dims.size(); ++i) {
    int64_t d = p.collapsed_slice_dims[i], bound = sizes[size_t(d)];
    if (bound != 1)
      c.fail(
          "Gather op can only collapse slice dims with bound 1, but bound "
          "is ",
          bound, " for index ", d, " at position ", i, ".");
  }
  for (size_t i = 0; i < p.operand_batching_dims.size(); ++i) {
    int64_t d = p.operand_batching_dims[i], bound = sizes[size_t(d)];
    if (bound > 1)
      c.fail(
          "Gather op can only have operand batching dims with bound 0/1, "
          "but bound is ",
          bound, " for index ", d, " at position ", i, ".");
  }
}

}  // namespace

Shape check_gather(const Aval& operand, const Aval& indices,
                   const GatherParams& p) {
  Checker c{"gather"};
  c.integer(indices);
  c.sorted(p.offset_dims, "offset_dims");
  c.distinct(p.offset_dims, "offset_dims");
  int64_t rank = int64_t(p.offset_dims.size()) + indices.rank() - 1;
  for (size_t i = 0; i < p.offset_dims.size(); ++i)
    if (p.offset_dims[i] < 0 || p.offset_dims[i] >= rank)
      c.fail("Offset dimension ", i, " in gather op is out of bounds; got ",
             p.offset_dims[i], ", but should have been in [0, ", rank, ")");
  check_map(c, operand, indices, p.start_index_map, "start_index_map");
  c.sorted(p.collapsed_slice_dims, "collapsed_slice_dims");
  c.in_range(p.collapsed_slice_dims, operand.rank(), "collapsed_slice_dims");
  c.distinct(p.collapsed_slice_dims, "collapsed_slice_dims");
  check_batching(c, operand, indices, window_dims(p), "start_index_map",
                 "collapsed_slice_dims", "start_indices_batching_dims");
  check_slice_sizes(c, operand, indices, p);

  Shape out;
  size_t batch = 0;
  Dims window;
  for (size_t d = 0; d < p.slice_sizes.size(); ++d)
    if (!contains(p.collapsed_slice_dims, int64_t(d)) &&
        !contains(p.operand_batching_dims, int64_t(d)))
      window.push_back(p.slice_sizes[d]);
  size_t w = 0;
  for (int64_t d = 0; d < rank; ++d)
    out.push_back(contains(p.offset_dims, d) ? window[w++]
                                             : indices.shape[batch++]);
  num_elements(out);  // throws if too many
  return out;
}

void check_scatter(const Aval& operand, const Aval& indices,
                   const Aval& updates, const ScatterParams& p) {
  Checker c{"scatter"};
  c.integer(indices);
  if (operand.dtype != updates.dtype)
    c.fail("lax.scatter requires arguments to have the same dtypes, got ",
           dtype_name(operand.dtype), ", ", dtype_name(updates.dtype), ".");
  int64_t rank = indices.rank() - 1 + int64_t(p.update_window_dims.size());
  if (updates.rank() != rank)
    c.fail("Updates tensor must be of rank ", rank, "; got ", updates.rank(),
           ".");
  c.sorted(p.update_window_dims, "update_window_dims");
  c.distinct(p.update_window_dims, "update_window_dims");
  c.in_range(p.update_window_dims, updates.rank(), "update_window_dims");
  c.sorted(p.inserted_window_dims, "inserted_window_dims");
  c.distinct(p.inserted_window_dims, "inserted_window_dims");
  c.in_range(p.inserted_window_dims, operand.rank(), "inserted_window_dims");
  check_batching(c, operand, indices, window_dims(p),
                 "scatter_dims_to_operand_dims", "inserted_window_dims",
                 "scatter_indices_batching_dims");
  size_t window = p.update_window_dims.size() + p.inserted_window_dims.size() +
                  p.operand_batching_dims.size();
  if (size_t(operand.rank()) != window)
    c.fail("Scatter op has window of size ", window,
           "; doesn't match operand of rank ", operand.rank(), ".");
  check_map(c, operand, indices, p.scatter_dims_to_operand_dims,
            "scatter_dims_to_operand_dims");
  size_t w = 0;
  for (size_t d = 0; d < operand.shape.size(); ++d) {
    if (contains(p.inserted_window_dims, int64_t(d)) ||
        contains(p.operand_batching_dims, int64_t(d)))
      continue;
    int64_t u = p.update_window_dims[w++];
    if (updates.shape[size_t(u)] > operand.shape[d])
      c.fail(
          "Bounds of the window dimensions of updates must not exceed the "
          "bounds of the corresponding dimensions of operand. For "
          "dimension ",
          u, ", updates bound is ", updates.shape[size_t(u)],
          ", operand bound is ", operand.shape[d], ".");
  }
  size_t batch = 0;
  for (int64_t d = 0; d < updates.rank(); ++d) {
    if (contains(p.update_window_dims, d)) continue;
    int64_t bound = indices.shape[batch++];
    if (updates.shape[size_t(d)] != bound)
      c.fail(
          "Bounds of the scatter dimensions of updates must be the same as "
          "the bounds of the corresponding dimensions of scatter indices. "
          "For scatter dimension ",
          d, ", updates bound is ", updates.shape[size_t(d)],
          ", indices bound is ", bound, ".");
  }
}

Dims window_sizes(const ScatterParams& p, const Shape& operand,
                  const Shape& updates) {
  Dims sizes;
  size_t w = 0;
  for (size_t d = 0; d < operand.size(); ++d) {
    bool one = contains(p.inserted_window_dims, int64_t(d)) ||
               contains(p.operand_batching_dims, int64_t(d));
    sizes.push_back(one ? 1 : updates[size_t(p.update_window_dims[w++])]);
  }
  return sizes;
}

GatherParams inverse(const ScatterParams& p, const Shape& operand,
                     const Shape& updates) {
  GatherParams g;
  g.offset_dims = p.update_window_dims;
  g.collapsed_slice_dims = p.inserted_window_dims;
  g.start_index_map = p.scatter_dims_to_operand_dims;
  g.operand_batching_dims = p.operand_batching_dims;
  g.start_indices_batching_dims = p.scatter_indices_batching_dims;
  g.slice_sizes = window_sizes(p, operand, updates);
  g.mode = p.mode;
  g.indices_are_sorted = p.indices_are_sorted;
  g.unique_indices = p.unique_indices;
  return g;
}

ScatterParams inverse(const GatherParams& p) {
  ScatterParams s;
  s.update_window_dims = p.offset_dims;
  s.inserted_window_dims = p.collapsed_slice_dims;
  s.scatter_dims_to_operand_dims = p.start_index_map;
  s.operand_batching_dims = p.operand_batching_dims;
  s.scatter_indices_batching_dims = p.start_indices_batching_dims;
  s.mode = p.mode;
  s.indices_are_sorted = p.indices_are_sorted;
  s.unique_indices = p.unique_indices;
  return s;
}

// The batch axis of the operand becomes one more window dimension.
GatherParams with_batched_operand(GatherParams p, int64_t size) {
  p.slice_sizes.insert(p.slice_sizes.begin(), size);
  p.offset_dims = zero_and_shifted(p.offset_dims);
  p.collapsed_slice_dims = shifted(p.collapsed_slice_dims);
  p.operand_batching_dims = shifted(p.operand_batching_dims);
  p.start_index_map = shifted(p.start_index_map);
  return p;
}

// More windows of one operand: they need not be sorted or distinct any more.
GatherParams with_batched_indices(GatherParams p) {
  p.offset_dims = shifted(p.offset_dims);
  p.start_indices_batching_dims = shifted(p.start_indices_batching_dims);
  p.unique_indices = false;
  p.indices_are_sorted = false;
  return p;
}

GatherParams with_batched_both(GatherParams p, int64_t size) {
  p.slice_sizes.insert(p.slice_sizes.begin(), std::min<int64_t>(size, 1));
  p.offset_dims = shifted(p.offset_dims);
  p.collapsed_slice_dims = shifted(p.collapsed_slice_dims);
  p.operand_batching_dims = zero_and_shifted(p.operand_batching_dims);
  p.start_indices_batching_dims =
      zero_and_shifted(p.start_indices_batching_dims);
  p.start_index_map = shifted(p.start_index_map);
  return p;
}

ScatterParams with_batched_updates(ScatterParams p) {
  p.update_window_dims = zero_and_shifted(p.update_window_dims);
  p.inserted_window_dims = shifted(p.inserted_window_dims);
  p.operand_batching_dims = shifted(p.operand_batching_dims);
  p.scatter_dims_to_operand_dims = shifted(p.scatter_dims_to_operand_dims);
  return p;
}

ScatterParams with_batched_all(ScatterParams p) {
  p.update_window_dims = shifted(p.update_window_dims);
  p.inserted_window_dims = shifted(p.inserted_window_dims);
  p.operand_batching_dims = zero_and_shifted(p.operand_batching_dims);
  p.scatter_indices_batching_dims =
      zero_and_shifted(p.scatter_indices_batching_dims);
  p.scatter_dims_to_operand_dims = shifted(p.scatter_dims_to_operand_dims);
  return p;
}

Batched batch_gather(const Value& operand, int64_t operand_dim,
                     const Value& indices, int64_t indices_dim, int64_t size,
                     const GatherParams& p) {
  Value x = operand, i = indices;
  if (operand_dim != kNotBatched) x = batch_to_front(x, operand_dim, size);
  if (indices_dim != kNotBatched) i = batch_to_front(i, indices_dim, size);
  if (indices_dim == kNotBatched)
    return batched_at(lax::gather(x, i, with_batched_operand(p, size)), 0);
  if (operand_dim == kNotBatched)
    return batched_at(lax::gather(x, i, with_batched_indices(p)), 0);
  return batched_at(lax::gather(x, i, with_batched_both(p, size)), 0);
}

Batched batch_scatter(const Primitive& self, std::span<const Value> x,
                      std::span<const int64_t> dims, int64_t size,
                      const ScatterParams& p) {
  Value operand = batch_to_front(x[0], dims[0], size), indices = x[1];
  Value updates = batch_to_front(x[2], dims[2], size);
  if (dims[1] == kNotBatched)
    return batched_at(
        bind1(self, {operand, indices, updates}, with_batched_updates(p)), 0);
  indices = batch_to_front(indices, dims[1], size);
  return batched_at(
      bind1(self, {operand, indices, updates}, with_batched_all(p)), 0);
}

}  // namespace cotan::ops
