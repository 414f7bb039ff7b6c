#include "passes/memory.h"

#include <algorithm>

namespace cotan {

namespace {

constexpr int32_t kNever = INT32_MAX;
constexpr int64_t kAlign = 64;

// Storages that share one place, one after another.
struct Place {
  int32_t first = kNever, last = -1;  // steps, inclusive
  int64_t bytes = 0;
  int32_t input = -1, output = -1, constant = -1;
  bool donated = false;  // input that may be overwritten
  int64_t offset = 0;
  bool in_arena() const { return input < 0 && output < 0 && constant < 0; }
};

class MemoryPlanner {
 public:
  MemoryPlanner(Program& p, std::span<const Storage> storages)
      : p_(p), storages_(storages), place_of_(storages.size()) {}

  void run() {
    read_through_copies();
    lifetimes();
    for (size_t s = 0; s < p_.steps.size(); ++s) share(int32_t(s));
    donate();
    drop_copies();
    assign_offsets();
    write_buffers();
  }

 private:
  Place& place(int32_t storage) {
    return places_[size_t(place_of_[size_t(storage)])];
  }

  // A kernel that replaces elements of a copy, and computes each from the
  // original's element, reads the copy: the original may then be its memory.
  void read_through_copies() {
    std::vector<BufferId> copy_of(storages_.size(), -1);
    for (Step& step : p_.steps) {
      auto* f = std::get_if<FusedStep>(&step);
      if (f && f->kernel->stores.size() == 1) {
        const Store& store = f->kernel->stores[0];
        BufferId to = f->operands[size_t(store.operand)];
        BufferId original = copy_of[size_t(to)];
        auto from = std::find(f->operands.begin(), f->operands.end(), original);
        if (original >= 0 && from != f->operands.end() &&
            !f->kernel->operands[size_t(store.operand)].read)
          read_copy(*f, int32_t(from - f->operands.begin()));
      }
      for_each_buffer(step, [&](BufferId b, bool written) {
        if (written) copy_of[size_t(b)] = -1;
      });
      if (f) {
        auto [from, to] = whole_copy(*f);
        if (to >= 0) copy_of[size_t(to)] = from;
      }
    }
  }
  static void read_copy(FusedStep& f, int32_t original) {
    const Store& store = f.kernel->stores[0];
    int32_t copy = store.operand;
    if (f.kernel->schedule == Schedule::tile ||
        f.kernel->operands[size_t(original)].dtype !=
            f.kernel->operands[size_t(copy)].dtype ||
        !reads_before(*f.kernel, original, store))
      return;
    merge_operands(f, original, copy, 0);
  }
  // (from, to) of a kernel that copies all of a buffer, or -1.
  std::pair<BufferId, BufferId> whole_copy(const FusedStep& f) const {
    const Kernel& k = *f.kernel;
    if (k.stores.size() != 1) return {-1, -1};
    const Store& s = k.stores[0];
    const Node& n = k.nodes[size_t(s.node)];
    BufferId to = f.operands[size_t(s.operand)];
    int64_t elements = 1;
    for (int64_t extent : k.axes) elements *= extent;
    if (n.kind != NodeKind::load || n.operand == s.operand ||
        !(n.map == s.map) || !s.map.guards.empty() || !s.map.indirect.empty() ||
        s.map.at.offset != 0 ||
        elements * itemsize(k.operands[size_t(s.operand)].dtype) !=
            storages_[size_t(to)].bytes)
      return {-1, -1};
    return {f.operands[size_t(n.operand)], to};
  }

  void lifetimes() {
    places_.resize(storages_.size());
    for (size_t i = 0; i < storages_.size(); ++i) {
      place_of_[i] = int32_t(i);
      const Storage& s = storages_[i];
      Place& x = places_[i];
      x.bytes = s.bytes;
      x.input = s.input;
      x.output = s.output;
      x.constant = s.constant;
      if (s.input >= 0) {
        x.first = -1;
        x.donated =
            size_t(s.input) < p_.donated.size() && p_.donated[size_t(s.input)];
      }
      if (s.output >= 0) x.last = kNever;
    }
    for (size_t s = 0; s < p_.steps.size(); ++s)
      for_each_buffer(p_.steps[s], [&](BufferId b, bool) {
        Place& x = places_[size_t(b)];
        x.first = std::min(x.first, int32_t(s));
        x.last = std::max(x.last, int32_t(s));
      });
    // Only the caller may see a result that is also an input.
    for (const PlanOutput& o : p_.outputs)
      if (o.forwards >= 0)
        for (Place& x : places_)
          if (x.input == o.forwards) x.donated = false;
  }

  // ---- in place

  bool may_share(int32_t from, int32_t to, int32_t step) {
    if (place_of_[size_t(from)] == place_of_[size_t(to)]) return false;
    Place &a = place(from), &b = place(to);
    if (a.last != step || b.first != step || a.bytes != b.bytes ||
        b.input >= 0 || a.constant >= 0 || a.bytes == 0)
      return false;
    if (a.output >= 0) return false;
    if (a.input >= 0) return a.donated && inherits(b, a);
    return a.bytes >= kWorthSharing;
  }
  bool inherits(const Place& heir, const Place& input) const {
    return p_.heirs.empty() ||
           (heir.output >= 0 && heir.output == p_.heirs[size_t(input.input)]);
  }
  void unite(int32_t from, int32_t to) {
    int32_t gone = place_of_[size_t(from)], kept = place_of_[size_t(to)];
    Place &a = places_[size_t(gone)], &b = places_[size_t(kept)];
    b.first = std::min(a.first, b.first);
    if (a.input >= 0) {
      b.input = a.input;
      b.donated = true;
      if (b.output >= 0) p_.outputs[size_t(b.output)].alias = a.input;
    }
    a = Place{};
    for (int32_t& x : place_of_)
      if (x == gone) x = kept;
  }

  void share(int32_t s) {
    Step& step = p_.steps[size_t(s)];
    if (auto* fused = std::get_if<FusedStep>(&step)) return share(*fused, s);
    if (auto* r = std::get_if<RuntimeStep>(&step)) {
      if (!r->in_place) return;
      for (size_t i = 0; i < r->in.size() && i < r->out.size(); ++i)
        if (may_share(r->in[i], r->out[i], s) && reads(*r, r->in[i]) == 1)
          unite(r->in[i], r->out[i]);
    }
    // A loop's carries live where their initial values are.
    if (auto* l = std::get_if<LoopStep>(&step)) {
      size_t first = size_t(l->cond_consts + l->consts);
      for (size_t i = 0; i < l->carry.size(); ++i)
        if (may_share(l->in[first + i], l->out[i], s) &&
            reads(*l, l->in[first + i]) == 1)
          unite(l->in[first + i], l->out[i]);
    }
  }
  template <class S>
  static int reads(const S& s, BufferId b) {
    return int(std::count(s.in.begin(), s.in.end(), b));
  }

  // An operand dies here and every load of it is at the element that a store
  // then writes, in the last stage.
  void share(FusedStep& f, int32_t s) {
    const Kernel& k = *f.kernel;
    if (k.schedule == Schedule::tile) return;
    for (size_t j = 0; j < k.stores.size(); ++j) {
      const Store& store = k.stores[j];
      int32_t to = store.operand;
      if (k.operands[size_t(to)].read) continue;
      for (size_t i = 0; i < k.operands.size(); ++i) {
        if (k.operands[i].written ||
            k.operands[i].dtype != k.operands[size_t(to)].dtype ||
            std::count(f.operands.begin(), f.operands.end(), f.operands[i]) >
                1 ||
            !may_share(f.operands[i], f.operands[size_t(to)], s) ||
            !walks_alike(k, int32_t(i), store))
          continue;
        unite(f.operands[i], f.operands[size_t(to)]);
        merge_operands(f, int32_t(i), to, j);
        return;  // the kernel is another now: one pair per kernel
      }
    }
  }
  static bool walks_alike(const Kernel& k, int32_t operand,
                          const Store& store) {
    if (!store.map.guards.empty() || !store.map.indirect.empty()) return false;
    int stores = 0;
    for (const Store& s : k.stores) stores += s.operand == store.operand;
    return stores == 1 && reads_before(k, operand, store);
  }
  // Every load of the operand is at the element that the store then writes.
  static bool reads_before(const Kernel& k, int32_t operand,
                           const Store& store) {
    const Node& n = k.nodes[size_t(store.node)];
    if (n.stage + 1 < k.stages) return false;
    if (n.kind == NodeKind::reduce && n.axis != k.lane()) return false;
    for (const Node& x : k.nodes)
      if (x.kind == NodeKind::load && x.operand == operand &&
          !(x.map == store.map && x.dep == store.dep))
        return false;
    return true;
  }
  static void merge_operands(FusedStep& f, int32_t from, int32_t to,
                             size_t store) {
    auto k = make_ref<Kernel>(*f.kernel);
    auto renamed = [&](int32_t i) {
      if (i == from) i = to;
      return i > from ? i - 1 : i;
    };
    k->operands[size_t(to)].read = true;
    k->operands.erase(&k->operands[size_t(from)]);
    f.operands.erase(&f.operands[size_t(from)]);
    for (Node& n : k->nodes)
      if (n.kind == NodeKind::load) n.operand = renamed(n.operand);
    for (Store& s : k->stores) s.operand = renamed(s.operand);
    // Last, so that nothing loads the element after it is overwritten.
    std::rotate(k->stores.begin() + int64_t(store),
                k->stores.begin() + int64_t(store) + 1, k->stores.end());
    f.kernel = std::move(k);
    f.meta = meta_values(*f.kernel);
  }

  // Outputs that begin after a donated input has been read for the last time.
  void donate() {
    for (size_t i = 0; i < storages_.size(); ++i) {
      if (storages_[i].output < 0 || places_.empty()) continue;
      Place& b = place(int32_t(i));
      if (b.input >= 0 || b.output < 0) continue;
      for (size_t j = 0; j < storages_.size(); ++j) {
        if (storages_[j].input < 0) continue;
        Place& a = place(int32_t(j));
        if (!a.donated || a.output >= 0 || a.bytes != b.bytes || a.bytes == 0 ||
            a.last >= b.first || !inherits(b, a))
          continue;
        unite(int32_t(j), int32_t(i));
        break;
      }
    }
  }

  void drop_copies() {
    std::erase_if(p_.steps, [&](const Step& step) {
      if (auto* c = std::get_if<CopyStep>(&step))
        return place_of_[size_t(c->from)] == place_of_[size_t(c->to)];
      auto* f = std::get_if<FusedStep>(&step);
      if (!f || f->kernel->stores.size() != 1) return false;
      const Store& s = f->kernel->stores[0];
      const Node& n = f->kernel->nodes[size_t(s.node)];
      return n.kind == NodeKind::load && n.operand == s.operand &&
             n.map == s.map;
    });
  }

  // ---- the arena: largest first, each into the best gap that is free for
  // its whole life.
  void assign_offsets() {
    std::vector<Place*> order, placed;
    for (Place& x : places_)
      if (x.in_arena() && x.last >= 0) order.push_back(&x);
    std::stable_sort(order.begin(), order.end(),
                     [](Place* a, Place* b) { return a->bytes > b->bytes; });
    for (Place* x : order) {
      int64_t size = padded(x->bytes), best = -1, best_gap = 0, end = 0;
      for (Place* y : placed) {  // sorted by offset
        if (y->last < x->first || x->last < y->first) continue;
        int64_t gap = y->offset - end;
        if (gap >= size && (best < 0 || gap < best_gap)) {
          best = end;
          best_gap = gap;
        }
        end = std::max(end, y->offset + padded(y->bytes));
      }
      x->offset = best >= 0 ? best : end;
      p_.arena_bytes = std::max(p_.arena_bytes, x->offset + size);
      auto at = std::upper_bound(
          placed.begin(), placed.end(), x,
          [](Place* a, Place* b) { return a->offset < b->offset; });
      placed.insert(at, x);
    }
  }
  // Big neighbours are staggered: streams that all start at the same offset
  // in a page collide in L1.
  static int64_t padded(int64_t bytes) {
    int64_t size = (bytes + kAlign - 1) / kAlign * kAlign;
    return size >= (16 << 10) ? size + 5 * kAlign : size;
  }

  void write_buffers() {
    p_.buffers.resize(storages_.size());
    for (size_t i = 0; i < storages_.size(); ++i) {
      const Place& x = place(int32_t(i));
      PlanBuffer& b = p_.buffers[i];
      b.dtype = storages_[i].dtype;
      b.bytes = storages_[i].bytes;
      // An output over a donated input is the same memory by either name.
      if (x.output >= 0 && storages_[i].input < 0) {
        b.kind = PlanBuffer::output;
        b.index = x.output;
      } else if (x.input >= 0) {
        b.kind = PlanBuffer::input;
        b.index = x.input;
      } else if (x.constant >= 0) {
        b.kind = PlanBuffer::constant;
        b.index = x.constant;
      } else {
        b.offset = x.offset;
      }
    }
  }

  Program& p_;
  std::span<const Storage> storages_;
  std::vector<int32_t> place_of_;
  std::vector<Place> places_;
};

}  // namespace

void plan_memory(Program& p, std::span<const Storage> storages) {
  MemoryPlanner(p, storages).run();
}

}  // namespace cotan
