import MillraceCompute
import MillraceModels
import MillraceRepository
import MillraceServing
import Testing

/// Feeds in another precision than float32.
@Suite struct PrecisionTests {
    private let fixture: ServingFixture
    private let row: [Float] = [1, 2]

    init() throws { fixture = try ServingFixture() }

    private func calibrate(_ version: Int) throws {
        var calibration = try Calibration(
            fixture.repository, "m", version: version, precision: .bfloat16)
        calibration.add(FeatureMatrix(row.span, rows: 1, stride: 2))
        _ = try calibration.record(source: "test")
    }

    private func feed(_ reference: ModelReference, _ reduced: ReducedKernels?) -> ModelFeed {
        ModelFeed(
            idle: fixture.repository, reference, kernels: .best, precision: .bfloat16,
            reduced: reduced, logger: fixture.messages.logger)
    }

    @Test func whatWasNotCalibratedIsRefused() throws {
        try fixture.publish()
        let feed = feed("m", .amxModel)
        #expect(try !feed.refresh())
        #expect(feed.refusals.map(\.version) == [1])
        #expect(feed.refusals.first?.reason.contains("not calibrated for bfloat16") == true)
        try fixture.publish()
        try calibrate(2)
        #expect(try feed.refresh())
        #expect(feed.current.version == 2 && feed.current.model.precision == .bfloat16)
        #expect(feed.current.fallback == nil && fixture.messages.warnings == [])
        // The next one is not: the one in use goes on.
        try fixture.publish()
        #expect(try feed.refresh())
        #expect(feed.current.version == 2 && feed.refusals.map(\.version) == [1, 3])
        let error = #expect(throws: RepositoryError.self) {
            try ModelFeed(fixture.repository, "m@3", precision: .bfloat16)
        }
        #expect(error?.code == .notCalibrated)
    }

    /// A scorer takes a version in bfloat16 as any other; its outputs are those bits.
    @Test func aScorerScoresInIt() throws {
        try fixture.publish()
        try calibrate(1)
        let feed = feed("m@1", .amxModel)
        #expect(try feed.refresh())
        var scorer = Scorer(feed)
        let output = scorer.predict(row.span)[0]
        #expect(output == 1)
        #expect(scorer.current.model.kernelName == "software-bfloat16")
    }

    @Test func withoutRegistersItIsSaidOnce() throws {
        try fixture.publish()
        try calibrate(1)
        let feed = feed("m", nil)
        #expect(try feed.refresh())
        #expect(feed.current.model.precision == .float32)
        #expect(feed.current.fallback != nil)
        #expect(fixture.messages.warnings.count == 1)
        #expect(
            fixture.messages.warnings.first?.hasPrefix(
                "'m' is scored in float32, not bfloat16: ") == true)
        try fixture.publish()
        try calibrate(2)
        #expect(try feed.refresh())
        #expect(feed.current.version == 2 && fixture.messages.warnings.count == 1)
    }
}
