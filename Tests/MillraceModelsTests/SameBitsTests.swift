import Glibc
import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// A row's prediction has the same bits whatever stands around it.
@Suite struct SameBitsTests {
    private static let seed: UInt64 = 11

    /// Models of random shape, each twelfth of them wide enough that sums are cut.
    private static func model(_ round: Int, _ draw: inout Draw) throws -> Model {
        let head = Head.allCases[round % Head.allCases.count]
        var widths = [draw.integer(1...90)]
        for _ in 0..<draw.integer(0...2) { widths.append(draw.integer(1...140)) }
        if round % 12 == 11 { widths = [draw.integer(513...700), draw.integer(33...70)] }
        widths.append(head == .sigmoid ? 1 : draw.integer(2...70))
        let activation = Activation.allCases[round % Activation.allCases.count]
        var input = draw.inputStage(widths[0])
        input.normalisation = RowNormalisation.allCases[round / 2 % 4]
        input.missing = [.impute, .propagate, .impute, .reject][round % 4]
        if round % 3 == 1 {
            let rowWidth = widths[0] + draw.integer(0...9)
            input.selection = InputStage.Selection(
                rowWidth: rowWidth,
                columns: (0..<widths[0]).map { _ in draw.integer(0...rowWidth - 1) })
        }
        if round % 5 == 4 {
            // Nothing to do: the features are used where they lie.
            input = InputStage(identity: widths[0])
            input.missing = .propagate
        }
        let layers = draw.layers(widths)
        return try Model(input: input, layers: layers, activation: activation, head: head)
    }

    @Test(arguments: Scoring.all)
    func inEveryBatchAtEveryPlace(scoring: Scoring) throws {
        var draw = Draw(Self.seed)
        for round in 0..<16 {
            let model = try Self.model(round, &draw)
            let prepared = scoring.prepare(model)
            let rows = 150
            let features = draw.features(rows * model.inputWidth)
            let whole = prepared.predict(features)
            var workspace = ScoringWorkspace(for: prepared)
            var lone: [Float] = []
            for row in 0..<rows {
                let place = row * model.inputWidth..<(row + 1) * model.inputWidth
                lone += prepared.predict(Array(features[place]))
            }
            #expect(
                lone.map(\.bitPattern) == whole.map(\.bitPattern),
                "one by one, seed \(Self.seed), round \(round)")
            for _ in 0..<12 {
                let first = draw.integer(0...rows - 1)
                let count = draw.integer(1...rows - first)
                let output = moved(
                    prepared, features, first..<first + count, &draw, &workspace)
                let start = first * prepared.outputWidth
                let expected = whole[start..<start + output.count]
                #expect(
                    output.map(\.bitPattern) == expected.map(\.bitPattern),
                    "seed \(Self.seed), round \(round), rows \(first)+\(count)")
            }
        }
    }

    /// Rows scored from another address, with gaps of infinities between them.
    private func moved(
        _ prepared: PreparedModel, _ features: [Float], _ rows: Range<Int>, _ draw: inout Draw,
        _ workspace: inout ScoringWorkspace
    ) -> [Float] {
        let width = prepared.inputWidth
        let stride = width + draw.integer(0...5)
        let shift = draw.integer(0...17)
        var moved = [Float](repeating: .infinity, count: shift + rows.count * stride)
        for (place, row) in rows.enumerated() {
            for i in 0..<width { moved[shift + place * stride + i] = features[row * width + i] }
        }
        var output = [Float](repeating: 0, count: rows.count * prepared.outputWidth)
        var target = output.mutableSpan
        prepared.predict(
            moved.span.extracting(shift..<moved.count), rows: rows.count, stride: stride,
            into: &target, workspace: &workspace)
        return output
    }

    /// FE_DOWNWARD, FE_UPWARD and FE_TOWARDZERO, which are ambiguous in Swift; to nearest is 0.
    #if arch(x86_64)
        private static let roundings: [Int32] = [0x400, 0x800, 0xC00]
    #else
        private static let roundings: [Int32] = [0x800000, 0x400000, 0xC00000]
    #endif

    @Test(arguments: Scoring.all)
    func inAnyFloatingPointModeOfTheCaller(scoring: Scoring) throws {
        var draw = Draw(5)
        for head in Head.allCases {
            let model = try draw.model([33, 20, head == .sigmoid ? 1 : 7], .tanh, head)
            let prepared = scoring.prepare(model)
            let features = draw.features(9 * 33)
            let expected = prepared.predict(features)
            for mode in Self.roundings {
                #expect(fesetround(mode) == 0)
                let found = prepared.predict(features)
                let after = fegetround()
                fesetround(0)
                #expect(after == mode, "the caller's mode is restored")
                #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
            }
        }
    }

    @Test(arguments: Scoring.all)
    func fromEveryElementType(scoring: Scoring) throws {
        var draw = Draw(31)
        let kinds: [MatrixElement] = [
            .float16, .bfloat16, .uint8(scale: 0.25, zeroPoint: 3),
            .int8(scale: 0.5, zeroPoint: -4),
        ]
        for (round, element) in (kinds + kinds + kinds + kinds + kinds).enumerated() {
            var input = draw.inputStage(37)
            var gap = 3
            switch round / kinds.count {
            case 0: break
            case 1:
                input.selection = InputStage.Selection(
                    rowWidth: 41, columns: (0..<37).map { 40 - $0 })
            case let variant:
                // Taken as they are: without gaps all rows of a tile at once.
                input = InputStage(identity: variant == 2 ? 64 : 37)
                input.missing = .propagate
                gap = variant == 3 ? 3 : 0
            }
            let model = try Model(
                input: input, layers: draw.layers([input.width, 18, 5]), activation: .gelu,
                head: .softmax)
            let prepared = scoring.prepare(model)
            let (rows, width) = (71, model.inputWidth)
            let stride = (width + gap) * element.byteCount
            let stored = (0..<rows * stride).map { _ in
                // Small enough an upper byte for a finite number.
                UInt8(truncatingIfNeeded: draw.integer(0...123))
            }
            let wide = widened(stored, element, rows: rows, width: width, stride: stride)
            #expect(
                bits(of: stored, element, rows: rows, stride: stride, by: prepared)
                    == prepared.predict(wide).map(\.bitPattern), "\(element)")
        }
    }

    /// A lone layer of one output widens bytes on their way into its products.
    @Test(arguments: Scoring.all)
    func ofOneOutputFromBytes(scoring: Scoring) throws {
        var draw = Draw(32)
        let kinds: [MatrixElement] = [
            .uint8(scale: 0.25, zeroPoint: 3), .uint8(scale: 1, zeroPoint: 0),
            .int8(scale: 0.5, zeroPoint: -4), .int8(scale: 1, zeroPoint: 0),
        ]
        for (element, width) in kinds.flatMap({ kind in
            [1, 3, 15, 16, 17, 37, 64, 130].map { (kind, $0) }
        }) {
            let head = Head.allCases[draw.integer(0...1)]
            var input = InputStage(identity: width)
            input.missing = .propagate
            let model = try Model(
                input: input, layers: draw.layers([width, 1]), activation: .relu, head: head)
            let prepared = scoring.prepare(model)
            let (rows, stride) = (1 + draw.integer(0...1_100), width + draw.integer(0...2))
            let stored = (0..<rows * stride).map { _ in
                UInt8(truncatingIfNeeded: draw.integer(0...255))
            }
            let wide = widened(stored, element, rows: rows, width: width, stride: stride)
            #expect(
                bits(of: stored, element, rows: rows, stride: stride, by: prepared)
                    == prepared.predict(wide).map(\.bitPattern), "\(element), \(width) features")
        }
    }

    /// The predictions from rows as they are stored, in which nothing is missing.
    private func bits(
        of stored: [UInt8], _ element: MatrixElement, rows: Int, stride: Int,
        by prepared: PreparedModel
    ) -> [UInt32] {
        var workspace = ScoringWorkspace(for: prepared)
        var output = [Float](repeating: 0, count: rows * prepared.outputWidth)
        var target = output.mutableSpan
        let counts = prepared.predict(
            FeatureMatrix(unsafe stored.span.bytes, rows: rows, stride: stride, element: element),
            into: &target, workspace: &workspace)
        #expect(counts == PredictionCounts())
        return output.map(\.bitPattern)
    }

    private func widened(
        _ stored: [UInt8], _ element: MatrixElement, rows: Int, width: Int, stride: Int
    ) -> [Float] {
        var wide: [Float] = []
        for row in 0..<rows {
            for i in 0..<width {
                let at = row * stride + i * element.byteCount
                switch element {
                case .float32: Issue.record("float32 is not narrow")
                case .float16:
                    let bits = UInt16(stored[at]) | UInt16(stored[at + 1]) << 8
                    wide.append(Float(Self.half(bits)))
                case .bfloat16:
                    let bits = UInt32(stored[at]) | UInt32(stored[at + 1]) << 8
                    wide.append(Float(bitPattern: bits << 16))
                case .uint8(let scale, let zero):
                    wide.append(Float(Int32(stored[at]) - zero) * scale)
                case .int8(let scale, let zero):
                    wide.append(Float(Int32(Int8(bitPattern: stored[at])) - zero) * scale)
                }
            }
        }
        return wide
    }

    /// A positive finite float16 by its definition.
    private static func half(_ bits: UInt16) -> Double {
        let exponent = Int(bits >> 10)
        let fraction = Double(bits & 0x3FF)
        return exponent == 0
            ? fraction * 0x1p-24 : (1024 + fraction) * exp2(Double(exponent - 25))
    }
}
