internal import CMillraceKernels

/// The steps of a specification that are common, as the kernel carries them out for lines of plain
/// CSV: short numbers, times of day, vocabularies, hashes and edges.
///
/// It makes the same of a field as `CompiledFeatures` does, or leaves it to that.
///
/// **Thread-safety**: constant.
@safe
final class RowProgram: @unchecked Sendable {
    // SAFETY: what the pointers lead to is written by `init` alone and freed by `deinit`; the kernel
    // only reads it.
    private let program: cm_row_program
    private let memory: [UnsafeMutableRawPointer]
    private let width: Int
    /// As many fields as a line has.
    private let columnCount: Int

    /// Nil for rows that are not CSV, and where a number may mean that a value is missing.
    init?(_ specification: FeatureSpecification, _ missing: MissingValues) {
        guard specification.schema.format == .csv, !missing.includeNumbers else { return nil }
        var tables = Tables()
        for feature in specification.features { tables.add(feature, specification) }
        var memory: [UnsafeMutableRawPointer] = unsafe []
        unsafe program = cm_row_program(
            steps: Self.copy(tables.steps, &memory), step_count: Int32(tables.steps.count),
            width: Int32(specification.width),
            empty_is_missing: missing.isEmptyMissing ? 1 : 0,
            edges: Self.copy(tables.edges, &memory), slots: Self.copy(tables.slots, &memory),
            vocabulary: Self.copy(tables.texts, &memory),
            missing: Self.copy(missing.others, &memory))
        unsafe self.memory = memory
        width = specification.width
        columnCount = specification.columns.count
    }

    deinit { unsafe memory.forEach { unsafe $0.deallocate() } }

    /// Carries out the steps from `step` on; returns the first that is left to the caller, or the
    /// number of steps after the last.
    ///
    /// - Parameter places: as `CSVFields.plainPlaces` says them of `line`; without any, nothing is
    ///   done.
    @inline(__always)
    func encode(
        _ line: Span<UInt8>, _ places: Span<Int32>, from step: Int,
        into row: inout MutableSpan<Float>
    ) -> Int {
        guard !places.isEmpty else { return step }
        precondition(
            places.count > columnCount && row.count == width
                && Int(places[places.count - 1]) <= line.count, "the line that was split")
        // SAFETY: a step reads a field of the line, which has as many as the specification has
        // columns, and writes features of the row.
        return unsafe line.withUnsafeBufferPointer { text in
            unsafe places.withUnsafeBufferPointer { places in
                unsafe row.withUnsafeMutableBufferPointer { row in
                    unsafe withUnsafePointer(to: program) {
                        unsafe Int(
                            cm_row_encode(
                                $0, Int32(step), text.baseAddress, places.baseAddress,
                                row.baseAddress))
                    }
                }
            }
        }
    }

    /// The tables of all steps together.
    private struct Tables {
        var steps: [cm_step] = []
        var edges: [Double] = []
        var slots: [Int32] = []
        var texts = TextTable()
        private var place = 0

        mutating func add(_ feature: FrozenFeature, _ specification: FeatureSpecification) {
            guard let column = specification.columns.firstIndex(of: feature.column) else {
                preconditionFailure("a specification names only columns that it has")
            }
            var step = cm_step()
            step.column = Int32(column)
            step.place = Int32(place)
            step.width = Int32(feature.width)
            step.kind = Int32(kind(of: feature.encoding))
            switch feature.encoding {
            case .oneHot(let values, _):
                let slots = Vocabulary(values).slots
                step.first = Int32(self.slots.count)
                step.count = Int32(slots.count)
                let base = Int32(texts.append(values).lowerBound)
                self.slots += slots.map { $0 < 0 ? -1 : $0 + base } + [base]
            case .bucketize(let edges, _):
                step.first = Int32(self.edges.count)
                step.count = Int32(edges.count)
                self.edges += edges
            case .number, .hash, .cross: break
            }
            steps.append(step)
            place += feature.width
        }

        private func kind(of encoding: FrozenFeature.Encoding) -> Int {
            switch encoding {
            case .number(let number) where number.isUnchanged && !number.indicator:
                switch number.format {
                case .plain: CM_STEP_NUMBER
                case .hhmm: CM_STEP_TIME
                default: CM_STEP_OTHER
                }
            case .oneHot: CM_STEP_ONE_HOT
            case .hash: CM_STEP_HASH
            case .bucketize: CM_STEP_BUCKET
            case .number, .cross: CM_STEP_OTHER
            }
        }
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
