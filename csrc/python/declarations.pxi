# What _dispatch uses of the C++ side.

cdef extern from "python/bridge.h" namespace "cotan":
    enum class DType(uint8_t):
        bool_, i2, i4, i8, i16, i32, i64, u2, u4, u8, u16, u32, u64
        f4_e2m1fn, f8_e3m4, f8_e4m3, f8_e4m3b11fnuz, f8_e4m3fn, f8_e4m3fnuz
        f8_e5m2, f8_e5m2fnuz, f8_e8m0fnu
        f16, bf16, f32, f64, c64, c128, key, float0

    cppclass Dims "cotan::Dims":
        Dims()
        size_t size() const
        int64_t* data()
        const int64_t* data() const
        void push_back(int64_t)

    cppclass Shape "cotan::Shape":
        Shape()
        size_t size() const
        const int64_t* data() const

    cppclass Aval:
        DType dtype
        bint weak_type
        Shape shape

    cppclass ValueObj:
        const Aval aval
        bint is_concrete() noexcept
        void retain() noexcept
        void release() noexcept

    cppclass Value:
        Value()
        ValueObj* get() noexcept
        ValueObj* detach() noexcept

    cppclass Values "cotan::Values":
        Values()
        size_t size() const
        Value& operator[](size_t)
        Value* data()
        void push_back(const Value&)

    cppclass CallableRef "cotan::CallableRef":
        CallableRef()

    int64_t item_size "cotan::itemsize"(DType) noexcept
    bint is_key "cotan::is_key"(DType) noexcept
    cppclass string_view "std::string_view":
        const char* data()
    string_view dtype_name "cotan::dtype_name"(DType) noexcept
    Value concrete_value(const Value&)
    bint evaluating "cotan::is_evaluating"() noexcept
    cppclass Trace "cotan::Trace":
        pass
    cppclass SetTrace "cotan::SetTrace":
        SetTrace(Trace&)
    Trace& current_trace "cotan::current_trace"() noexcept
    Trace& eval_trace "cotan::eval_trace"() noexcept

cdef extern from "python/bridge.h" namespace "cotan::python":
    void translate_exception()
    void initialize_bridge "cotan::python::initialize"(
        PyObject* (*)(ValueObj*) except NULL,
        ValueObj* (*)(PyObject*) noexcept, cbool) \
        except +translate_exception
    void set_error_classes_object "cotan::python::set_error_classes"(PyObject*)
    Value value_from_python(PyObject*, const char*, int, cbool) \
        except +translate_exception
    bint is_array_like(PyObject*) noexcept
    Aval aval_of_python(PyObject*) except +translate_exception
    PyObject* numpy_dtype(DType) except +translate_exception
    DType dtype_from_python(PyObject*) except +translate_exception
    DType dtype_or_key_from_python(PyObject*) except +translate_exception
    PyObject* numpy_view(const Value&) except +translate_exception
    PyObject* python_scalar(const Value&) except +translate_exception
    CallableRef python_callable(PyObject*)
    PyObject* list_from_values(const Values&) except +translate_exception
    Values values_from_sequence(PyObject*) except +translate_exception
    void add_internal_folder_path "cotan::python::add_internal_folder"(
        const char*)

cdef extern from "python/hot.h" namespace "cotan::python":
    ctypedef Value (*UnaryFn)(const Value&)
    ctypedef Value (*BinaryFn)(const Value&, const Value&)
    ValueObj* apply_unary(UnaryFn, ValueObj*) except +translate_exception
    ValueObj* apply_binary(BinaryFn, ValueObj*, ValueObj*) \
        except +translate_exception
    ValueObj* integer_power(ValueObj*, object) except +translate_exception
    Value value_ref(ValueObj*) noexcept
    Value at_home(const Value&) except +translate_exception
    int64_t num_elements_of(ValueObj*) except +translate_exception
    string source_of(ValueObj*) except +translate_exception
    string tracer_kind(ValueObj*)
    bint tracer_alive(ValueObj*)
    void delete_buffer_of(ValueObj*) except +translate_exception
    bint buffer_is_deleted(ValueObj*)
    uintptr_t buffer_address(ValueObj*) except +translate_exception
    void import_buffer(object, Py_buffer*, int) except +translate_exception

cdef extern from "jnp/ufuncs.h" namespace "cotan::jnp":
    Value jnp_negative "cotan::jnp::negative"(const Value&)
    Value jnp_absolute "cotan::jnp::absolute"(const Value&)
    Value jnp_invert "cotan::jnp::invert"(const Value&)
    Value jnp_add "cotan::jnp::add"(const Value&, const Value&)
    Value jnp_subtract "cotan::jnp::subtract"(const Value&, const Value&)
    Value jnp_multiply "cotan::jnp::multiply"(const Value&, const Value&)
    Value jnp_true_divide "cotan::jnp::true_divide"(const Value&, const Value&)
    Value jnp_floor_divide "cotan::jnp::floor_divide"(const Value&,
                                                      const Value&)
    Value jnp_remainder "cotan::jnp::remainder"(const Value&, const Value&)
    Value jnp_power "cotan::jnp::power"(const Value&, const Value&)
    Value jnp_matmul "cotan::jnp::matmul"(const Value&, const Value&)
    Value jnp_bitwise_and "cotan::jnp::bitwise_and"(const Value&, const Value&)
    Value jnp_bitwise_or "cotan::jnp::bitwise_or"(const Value&, const Value&)
    Value jnp_bitwise_xor "cotan::jnp::bitwise_xor"(const Value&, const Value&)
    Value jnp_left_shift "cotan::jnp::left_shift"(const Value&, const Value&)
    Value jnp_right_shift "cotan::jnp::right_shift"(const Value&, const Value&)
    Value jnp_equal "cotan::jnp::equal"(const Value&, const Value&)
    Value jnp_not_equal "cotan::jnp::not_equal"(const Value&, const Value&)
    Value jnp_less "cotan::jnp::less"(const Value&, const Value&)
    Value jnp_less_equal "cotan::jnp::less_equal"(const Value&, const Value&)
    Value jnp_greater "cotan::jnp::greater"(const Value&, const Value&)
    Value jnp_greater_equal "cotan::jnp::greater_equal"(const Value&,
                                                        const Value&)

cdef extern from "python/hot.h" namespace "cotan::python":
    void enable_vectorcall(PyTypeObject*, Py_ssize_t)
