import MillraceCompute
import MillraceModels
import MillraceSystem
import Testing

/// Layers in bfloat16: the bits of their definitions, whatever the shape.
@Suite struct BFloat16Tests {
    private func expectDefinition(
        _ model: Model, _ rows: [[Float]], stride: Int, _ kernels: ReducedKernels
    ) {
        let found = PreparedModel(model, reduced: kernels)
            .predict(rows, stride: stride, gap: .infinity)
        let definition = RoundedModel(model: model, order: RoundedModel.order(of: kernels))
        expectSame(found, rows.flatMap(definition.predict), model, rows: rows.count)
    }

    /// Widths around those of a register, one layer and more, rows in part of a register and more
    /// than go through together.
    @Test(arguments: Scoring.bfloat16)
    func aRowIsScoredByTheDefinition(kernels: ReducedKernels) throws {
        var draw = Draw(61)
        let shapes = [
            [1, 1], [2, 5], [15, 16], [16, 17], [31, 32], [32, 33], [33, 31], [63, 1], [64, 48],
            [65, 96, 3], [7, 33, 15], [40, 17, 49, 5], [64, 128, 64, 10], [129, 1, 1],
        ]
        for (round, shape) in shapes.enumerated() {
            let model = try draw.model(shape, .relu, round % 2 == 0 ? .identity : .scores)
            for count in [1, 2, 15, 16, 17, 32, 33, 49] {
                let rows = (0..<count).map { _ in draw.features(shape[0]) }
                expectDefinition(
                    model, rows, stride: shape[0] + draw.integer(0...3), kernels)
            }
        }
        let model = try draw.model([3, 20, 2])
        for count in [96, 97, 113, 200] {
            expectDefinition(model, (0..<count).map { _ in draw.features(3) }, stride: 3, kernels)
        }
    }

    @Test(arguments: Scoring.bfloat16)
    func randomShapes(kernels: ReducedKernels) throws {
        var draw = Draw(62)
        for _ in 0..<25 {
            var shape = [draw.integer(1...100)]
            for _ in 0...draw.integer(0...2) { shape.append(draw.integer(1...70)) }
            let model = try draw.model(shape)
            let rows = (0..<draw.integer(1...40)).map { _ in draw.features(shape[0]) }
            expectDefinition(model, rows, stride: shape[0] + draw.integer(0...9), kernels)
        }
    }

    /// A row that is infinite, or no number, or too small, is so by itself: nothing that pads a
    /// register reaches an output, nor another row's.
    @Test(arguments: Scoring.bfloat16)
    func numbersThatAreNone(kernels: ReducedKernels) throws {
        var draw = Draw(63)
        let special: [Float] = [
            .infinity, -.infinity, .nan, .greatestFiniteMagnitude, 0x1.FF7p127, -0.0, 0x1p-130,
            -.leastNonzeroMagnitude, .leastNormalMagnitude, 0x1p-80, 0x1.01p0, 0x1.03p0,
        ]
        for shape in [[9, 3], [40, 17, 3], [33, 18, 5, 2], [70, 1]] {
            var input = InputStage(identity: shape[0])
            input.missing = .propagate
            var layers = draw.layers(shape)
            // Infinity times these is infinite, and ReLU lets nothing of it through.
            for j in 0..<layers[0].outputs { layers[0].weights[j] = -1 }
            layers[0].weights[layers[0].outputs] = 0x1p-60
            layers[0].weights[layers[0].weights.count - 1] = 0x1p-100
            let model = try Model(input: input, layers: layers, head: .identity)
            var rows: [[Float]] = []
            for value in special {
                for place in [0, 1, shape[0] - 1] {
                    var row = draw.numbers(shape[0])
                    row[place] = value
                    rows.append(row)
                    rows.append([Float](repeating: value, count: shape[0]))
                }
            }
            expectDefinition(model, rows, stride: shape[0], kernels)
            // Beyond what ReLU lets through, a single infinite feature leaves finite outputs.
            var row = draw.numbers(shape[0])
            row[0] = .infinity
            if shape.count > 2 {
                let outputs = PreparedModel(model, reduced: kernels)
                    .predict([row], stride: shape[0], gap: .infinity)
                #expect(outputs.allSatisfy { $0.isFinite })
            }
        }
    }

    /// Weights and features alone, of every kind of number.
    @Test(arguments: Scoring.bfloat16)
    func numbersAreRoundedToNearest(kernels: ReducedKernels) throws {
        var draw = Draw(64)
        var input = InputStage(identity: 1)
        input.missing = .propagate
        let count = 5000
        let ties: [Float] = [0x1.01p0, 0x1.03p0, 0x1.010002p0, 0x1.FEFFFEp3, 0x1.FFp4, -0x1.01p-9]
        let patterns = (0..<count).map { i in
            i < ties.count
                ? ties[i] : Float(bitPattern: UInt32(truncatingIfNeeded: draw.generator.next()))
        }
        let weights = patterns.map { $0.isFinite ? $0 : 0 }
        let wide = try Model(
            input: input,
            layers: [
                DenseLayer(
                    inputs: 1, outputs: count, weights: weights,
                    bias: [Float](repeating: 0, count: count))
            ], head: .identity)
        let byWeights = PreparedModel(wide, reduced: kernels).predict([1])
        let narrow = try Model(
            input: input,
            layers: [DenseLayer(inputs: 1, outputs: 1, weights: [1], bias: [0])],
            head: .identity)
        let byFeatures = PreparedModel(narrow, reduced: kernels).predict(patterns)
        for i in 0..<count {
            // A sum that begins with zero has no negative one.
            let weight = RoundedModel.rounded(weights[i]) + 0
            let feature = RoundedModel.rounded(patterns[i]) + 0
            #expect(byWeights[i].isSame(as: weight), "\(weights[i]): \(byWeights[i])")
            #expect(byFeatures[i].isSame(as: feature), "\(patterns[i]): \(byFeatures[i])")
        }
    }

    /// Every activation and head, near what the model predicts by definition in double: 8 bits of
    /// each number, of a few layers.
    @Test(arguments: Scoring.bfloat16, Activation.allCases)
    func activationsAndHeads(kernels: ReducedKernels, activation: Activation) throws {
        var draw = Draw(65)
        for head in Head.allCases {
            let model = try draw.model([37, 50, 20, head == .sigmoid ? 1 : 6], activation, head)
            let features = draw.features(40 * 37)
            let found = PreparedModel(model, reduced: kernels).predict(features)
            let exact = PreparedModel(model).predict(features)
            let reference = ReferenceModel(model)
            var largest = 0.0
            for row in 0..<40 {
                let expected = reference.predict(Array(features[row * 37..<(row + 1) * 37]))
                for (i, value) in expected.enumerated() {
                    largest = max(
                        largest, abs(Double(found[row * expected.count + i]) - value))
                }
            }
            #expect(largest < 0.05, "\(head): \(largest)")
            #expect(found != exact, "bfloat16 has other bits")
        }
    }

    /// The processor's instructions and the models of them.
    @Test(arguments: [
        [ReducedKernels.amx, .amxModel], [.pairs, .pairsModel],
    ])
    func modelsAgreeWithTheProcessor(kinds: [ReducedKernels]) throws {
        let kinds = kinds.filter(\.isAvailable)
        var draw = Draw(66)
        for activation in Activation.allCases {
            for shape in [[64, 128, 64, 10], [1, 1], [7, 3, 129, 2]] {
                let model = try draw.model(
                    shape, activation, shape.last == 1 ? .sigmoid : .softmax)
                let features = draw.features(200 * shape[0])
                let bits = kinds.map {
                    PreparedModel(model, reduced: $0).predict(features).map(\.bitPattern)
                }
                #expect(bits.allSatisfy { $0 == bits[0] }, "\(shape), \(activation)")
            }
        }
    }

    @Test func whatIsRecorded() throws {
        var draw = Draw(67)
        let model = try draw.model([3, 2])
        let rounded = PreparedModel(model, kernels: .portable, reduced: .amxModel)
        #expect(rounded.precision == .bfloat16 && rounded.kernelName == "software-bfloat16")
        let exact = PreparedModel(model, kernels: .portable)
        #expect(exact.precision == .float32 && exact.kernelName == "portable")
        #expect(Set(ReducedKernels.allCases.map(\.name)).count == ReducedKernels.allCases.count)
        #expect(ReducedKernels.amx.name == "amx-bfloat16")
        #expect(ReducedKernels.pairs.name == "avx512-bfloat16")
        #expect(ReducedKernels.bytes.name == "avx512-int8")
    }

    @Test func precisionsHaveNames() throws {
        #expect(try Precision(parsing: "bf16") == .bfloat16)
        #expect(try Precision(parsing: "bfloat16") == .bfloat16)
        #expect(try Precision(parsing: "float32") == .float32)
        #expect(try Precision(parsing: "int8") == .int8)
        let error = #expect(throws: ComputeError.self) { try Precision(parsing: "int4") }
        #expect(error?.code == .unknownPrecision)
        #expect(error?.description.hasSuffix("choose float32 or bfloat16 or int8") == true)
        #expect(Precision.float32.isAvailable)
        for precision in Precision.allCases where precision != .float32 {
            let kernels = ReducedKernels.processor(precision)
            #expect(precision.isAvailable == (kernels != nil))
            #expect((precision.unavailability == nil) == precision.isAvailable)
            #expect(kernels?.precision ?? precision == precision)
            #expect(precision.kernelName(.portable) == kernels?.name ?? "portable")
        }
    }
}
