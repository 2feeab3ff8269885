import MillraceCompute
import MillraceModels
import Testing

@Suite struct KernelTests {
    @Test(arguments: KernelSet.available, Activation.allCases)
    func agreesWithTheDefinition(kernels: KernelSet, activation: Activation) throws {
        var draw = Draw(23)
        for head in Head.allCases {
            for (widths, few) in [([5], 3), ([89], 2), ([64, 128, 64], 10), ([17, 33], 4)] {
                let outputs = head == .sigmoid ? 1 : few
                let model = try draw.model(widths + [outputs], activation, head)
                let rows = 70
                let features = draw.features(rows * model.inputWidth)
                let predicted = PreparedModel(model, kernels: kernels).predict(features)
                let reference = ReferenceModel(model)
                for row in 0..<rows {
                    let place = row * model.inputWidth..<(row + 1) * model.inputWidth
                    let expected = reference.predict(Array(features[place]))
                    for (i, value) in expected.enumerated() {
                        let error = abs(Double(predicted[row * outputs + i]) - value)
                        #expect(error < 2e-5, "\(head) \(widths) row \(row) output \(i)")
                    }
                }
            }
        }
    }

    /// However a set divides the columns of hidden and last layers: rows of 1 to 33 outputs, each
    /// scored beside others and alone.
    @Test(arguments: KernelSet.available, [Activation.relu, .tanh])
    func everyNumberOfOutputsAgrees(kernels: KernelSet, activation: Activation) throws {
        var draw = Draw(29)
        for outputs in 1...33 {
            let model = try draw.model([21, 34 - outputs, outputs], activation, .identity)
            let rows = 14
            let features = draw.features(rows * model.inputWidth)
            let prepared = PreparedModel(model, kernels: kernels)
            let predicted = prepared.predict(features)
            let reference = ReferenceModel(model)
            for row in 0..<rows {
                let place = row * model.inputWidth..<(row + 1) * model.inputWidth
                let own = predicted[row * outputs..<(row + 1) * outputs]
                let alone = prepared.predict(Array(features[place]))
                #expect(
                    alone.map(\.bitPattern) == own.map(\.bitPattern),
                    "row \(row) of \(outputs) outputs")
                let expected = reference.predict(Array(features[place]))
                #expect(
                    zip(own, expected).allSatisfy { abs(Double($0) - $1) < 2e-5 },
                    "row \(row) of \(outputs) outputs")
            }
        }
    }

    @Test(arguments: KernelSet.available)
    func theSigmoidIsRelativelyAccurateInBothTails(kernels: KernelSet) throws {
        let model = try Model(
            input: InputStage(identity: 1),
            layers: [DenseLayer(inputs: 1, outputs: 1, weights: [1], bias: [0])], head: .sigmoid)
        let features = (-870...1000).map { Float($0) / 10 }
        let predicted = PreparedModel(model, kernels: kernels).predict(features)
        let reference = ReferenceModel(model)
        for (x, p) in zip(features, predicted) {
            let exact = reference.predict([x])[0]
            #expect(abs(Double(p) - exact) <= 5e-7 * exact, "sigmoid(\(x))")
        }
    }

    @Test(arguments: KernelSet.available)
    func extremeInputsGiveExtremeOutputs(kernels: KernelSet) throws {
        let layer = DenseLayer(inputs: 1, outputs: 2, weights: [1, -1], bias: [0, 0])
        let model = try Model(
            input: InputStage(identity: 1), layers: [layer], head: .softmax)
        let prepared = PreparedModel(model, kernels: kernels)
        #expect(prepared.predict([1e30]) == [1, 0])
        #expect(prepared.predict([-1e30]) == [0, 1])
        #expect(prepared.predict([.nan]) == [0.5, 0.5])
    }

    @Test func aSetIsChosenByName() throws {
        #expect(try KernelSet.choose("portable") == .portable)
        #expect(KernelSet.available.contains(KernelSet.best))
        let error = #expect(throws: ComputeError.self) { try KernelSet.choose("neon") }
        #expect(error?.code == .unknownKernels)
        #expect(error?.description.contains("portable") == true)
    }

    @Test func openBLASIsNotSlow() {
        let status = OpenBLAS.prepare()
        #expect(!status.isSlow, "\(status)")
        #expect(!status.core.isEmpty && status.configuration.contains("OpenBLAS"))
        #expect(OpenBLAS.prepare() == status)
    }
}
