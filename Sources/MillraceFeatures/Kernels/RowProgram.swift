internal import CMillraceKernels

/// The steps and rules of a specification that are common, as the kernel carries them out for lines
/// of plain CSV: short numbers, times of day, vocabularies, hashes and edges.
///
/// It makes the same of a field as `CompiledFeatures` and `CompiledRules` do, or leaves it to them.
///
/// **Thread-safety**: constant.
@safe
final class RowProgram: @unchecked Sendable {
    /// What became of a line.
    struct Outcome {
        /// How many steps are left to the caller.
        var leftCount: Int
        /// Whether `label` and `route` say what they should; if not, they are left to the caller.
        var isSettled: Bool
        /// The label, NaN for none.
        var label: Float
        /// The first route that the row takes; -1 where it takes none.
        var route: Int
        /// Whether all bytes of the line are below 0x80.
        var isASCII: Bool
    }

    // SAFETY: what the pointers lead to is written by `init` alone and freed by `deinit`; the kernel
    // only reads it.
    // A pointer: a value would be copied for each row.
    private let program: UnsafePointer<cm_row_program>
    private let set: UnsafePointer<cm_fields_set>
    private let memory: [UnsafeMutableRawPointer]
    private let width: Int
    /// How many steps the specification has.
    private let stepCount: Int

    /// Where in its memory the program notes the places of fields, and where the steps that are
    /// left to the caller; the memory ends behind these.
    private let placesCount: Int
    /// How many numbers of memory `encode` needs.
    var scratchCount: Int { placesCount + stepCount }

    /// Nil for rows that are not CSV, and where a number may mean that a value is missing.
    convenience init?(_ specification: FeatureSpecification, _ missing: MissingValues) {
        unsafe self.init(specification, missing, cm_fields_best())
    }

    /// The program by every set of kernels that this processor can run, with its name.
    static func all(
        _ specification: FeatureSpecification, _ missing: MissingValues
    ) -> [(name: String, program: RowProgram)] {
        let sets = unsafe [cm_fields_portable(), cm_fields_avx2(), cm_fields_avx512()]
        return unsafe sets.compactMap { set in
            guard let set = unsafe set else { return nil }
            return unsafe RowProgram(specification, missing, set).map {
                unsafe (String(cString: set.pointee.name), $0)
            }
        }
    }

    private init?(
        _ specification: FeatureSpecification, _ missing: MissingValues,
        _ set: UnsafePointer<cm_fields_set>
    ) {
        guard specification.schema.format == .csv, !missing.includeNumbers else { return nil }
        let tables = RowProgramTables(specification)
        var memory: [UnsafeMutableRawPointer] = unsafe []
        let program = unsafe cm_row_program(
            column_count: Int32(specification.columns.count), separator: UInt8(ascii: ","),
            empty_is_missing: missing.isEmptyMissing ? 1 : 0,
            steps: Self.copy(tables.steps, &memory), step_count: Int32(tables.steps.count),
            early: tables.early, clear_first: Int32(tables.clear.lowerBound),
            clear_count: Int32(tables.clear.count), edges: Self.copy(tables.edges, &memory),
            slots: Self.copy(tables.slots, &memory), keys: Self.copy(tables.keys, &memory),
            key_places: Self.copy(tables.keyPlaces, &memory),
            vocabulary: Self.copy(tables.texts, &memory),
            missing: Self.copy(missing.others, &memory), label: tables.label,
            routes: Self.copy(tables.routes, &memory), route_count: Int32(tables.routes.count),
            tests: Self.copy(tables.tests, &memory))
        unsafe self.program = Self.copy([program], &memory)
        unsafe self.memory = memory
        unsafe self.set = set
        width = specification.width
        placesCount = specification.columns.count + 1 + Int(CM_FIELDS_SLACK)
        stepCount = specification.features.count
    }

    deinit { unsafe memory.forEach { unsafe $0.deallocate() } }

    /// Splits `line` and carries out all steps, then the rules; nil, and nothing else is told, where
    /// it has quotes, another number of fields, or more than `Int32.max` bytes.
    ///
    /// - Parameters:
    ///   - scratch: `scratchCount` numbers, -1 at first, of which `left` then tells.
    ///   - row: `width` numbers.
    @inline(__always)
    func encode(
        _ line: Span<UInt8>, offset: UInt64, _ scratch: inout MutableSpan<Int32>,
        into row: inout MutableSpan<Float>
    ) -> Outcome? {
        precondition(
            scratch.count == scratchCount && row.count == width, "room for what the kernel writes")
        guard line.count <= Int32.max else { return nil }
        var outcome = cm_row_outcome()
        // SAFETY: the kernel reads within the line, and writes as many places, steps and features
        // as there is room for.
        let isPlain = unsafe line.withUnsafeBufferPointer { text in
            unsafe scratch.withUnsafeMutableBufferPointer { scratch in
                unsafe row.withUnsafeMutableBufferPointer { row in
                    unsafe set.pointee.encode(
                        program, text.baseAddress, Int64(text.count), offset,
                        scratch.baseAddress,
                        scratch.baseAddress.map { unsafe $0 + placesCount }, row.baseAddress,
                        &outcome)
                }
            }
        }
        guard isPlain != 0 else { return nil }
        return Outcome(
            leftCount: Int(outcome.left_count), isSettled: outcome.is_settled != 0,
            label: outcome.label, route: Int(outcome.route),
            isASCII: outcome.flags & CM_FIELDS_HIGH == 0)
    }

    /// The numbers of the steps that `encode` left to its caller, in order.
    @_lifetime(copy scratch)
    func left(_ outcome: Outcome, in scratch: Span<Int32>) -> Span<Int32> {
        scratch.extracting(placesCount..<placesCount + outcome.leftCount)
    }

    /// A copy of values in a block of its own, which is added to `memory`.
    private static func copy<Element: BitwiseCopyable>(
        _ values: [Element], _ memory: inout [UnsafeMutableRawPointer]
    ) -> UnsafePointer<Element> {
        // SAFETY: room for as many elements as there are values.
        let copy = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
        for (index, value) in values.enumerated() { unsafe (copy + index).initialize(to: value) }
        unsafe memory.append(UnsafeMutableRawPointer(copy))
        return unsafe UnsafePointer(copy)
    }

    private static func copy(
        _ table: TextTable, _ memory: inout [UnsafeMutableRawPointer]
    ) -> cm_texts {
        unsafe cm_texts(
            bytes: copy(table.bytes, &memory), ends: copy(table.ends.map(Int64.init), &memory),
            count: Int64(table.count))
    }
}
