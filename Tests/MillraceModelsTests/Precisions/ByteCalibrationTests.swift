import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceRepository

/// What a version was measured to be in int8, with the ranges that its bytes are spread over.
@Suite struct ByteCalibrationTests {
    private static let rows = 200

    private let bench: CalibrationBench

    init() throws {
        bench = try CalibrationBench("millrace-bytes", seed: 91, rows: Self.rows)
    }

    private var directory: TemporaryDirectory { bench.directory }
    private var repository: ModelRepository { bench.repository }
    private var model: Model { bench.model }
    private var features: [Float] { bench.features }
    private var file: String { bench.file }

    @discardableResult
    private func calibrate(
        _ precision: Precision = .int8, bound: Double? = nil
    ) throws -> CalibratedPrecision {
        try bench.calibrate(precision, bound: bound)
    }

    private func load(_ reduced: ReducedKernels? = .bytesModel) throws -> LoadedModel {
        try repository.load("m", version: 1, precision: .int8, reduced: reduced)
    }

    private var expected: PreparedModel {
        var finder = RangeFinder(model)
        finder.add(FeatureMatrix(features.span, rows: Self.rows, stride: 12))
        return PreparedModel(model, reduced: .bytesModel, ranges: finder.ranges())
    }

    @Test func differencesAreThoseOfThePredictions() throws {
        let measured = try calibrate()
        let exact = PreparedModel(model).predict(features)
        let errors = zip(exact, expected.predict(features)).map { abs(Double($0) - Double($1)) }
        let largest = try #require(errors.max())
        #expect(measured.maximumError == largest && largest > 0 && largest < 0.05)
        let mean = errors.reduce(0, +) / Double(errors.count)
        #expect(abs(measured.meanError - mean) <= 1e-12)
        #expect(measured.rows == Self.rows && measured.precision == .int8)
        #expect(measured.bound == 2 * largest)
        #expect(measured.goldenError > 0)
    }

    @Test func onlyWhatWasCalibratedIsLoaded() throws {
        #expect(bench.code { _ = try load() } == .notCalibrated)
        try calibrate(.bfloat16)
        #expect(bench.code { _ = try load() } == .notCalibrated)
        try calibrate()
        let loaded = try load()
        #expect(loaded.prepared.precision == .int8 && loaded.fallback == nil)
        #expect(loaded.prepared.kernelName == "software-int8")
        #expect(loaded.prepared.predict(features) == expected.predict(features))
        // Of the other precision nothing is lost, either way round.
        #expect(
            try repository.precisions(of: "m", version: 1).map(\.precision) == [.bfloat16, .int8])
        try calibrate(.bfloat16)
        #expect(try load().prepared.predict(features) == expected.predict(features))
        #expect(try repository.verify("m", version: 1).faults == [])
        let other = try load(nil)
        #expect(other.prepared.precision == .float32 && other.fallback != nil)
        let byDefault = try repository.load("m", version: 1, precision: .int8)
        #expect((byDefault.fallback == nil) == Precision.int8.isAvailable)
        if Precision.int8.isAvailable {
            #expect(byDefault.prepared.kernelName == "avx512-int8")
            #expect(
                byDefault.prepared.predict(features).map(\.bitPattern)
                    == expected.predict(features).map(\.bitPattern))
        }
    }

    @Test func anExceededBoundChangesNothing() throws {
        #expect(bench.code { try calibrate(bound: 1e-9) } == .boundExceeded)
        #expect(!Files.exists(file))
        try calibrate()
        let before = try bench.text()
        #expect(bench.code { try calibrate(bound: 1e-9) } == .boundExceeded)
        #expect(try bench.text() == before)
    }

    @Test func withoutRowsThereIsNothing() throws {
        let calibration = try Calibration(repository, "m", version: 1, precision: .int8)
        let code: RepositoryError.Code?
        do throws(RepositoryError) {
            _ = try calibration.record(source: "")
            code = nil
        } catch { code = error.code }
        #expect(code == .notCalibrated)
    }

    /// The same bits everywhere: an error that is larger than what was measured is a fault.
    @Test func goldenRowsAreHeldToWhatWasMeasured() throws {
        let measured = try calibrate(bound: 0.9)
        try replace("\"goldenError\" : ", by: "\(measured.goldenError * 0.99)")
        #expect(bench.code { _ = try load() } == .wrongPredictions)
        #expect(
            try repository.verify("m", version: 1).faults.map(\.code) == [.wrongPredictions])
    }

    /// Replaces the number behind a name.
    private func replace(_ name: String, by value: String) throws {
        let whole = try bench.text()
        let start = try #require(whole.firstRange(of: name)?.upperBound)
        let rest = whole[start...]
        let end = try #require(rest.firstIndex { ",\n]}".contains($0) })
        try Files.writeDurably(file, Array((whole[..<start] + value + whole[end...]).utf8))
    }

    @Test(arguments: [
        ("\"crc32c\" : ", "1"), ("\"high\" : [\n          ", "3.5"),
        ("\"low\" : [\n          ", "-9"), ("\"low\" : [\n          ", "null"),
        ("\"low\" : [\n          ", "1e999"), ("\"high\" : [\n          ", "\"1\""),
        ("\"high\" : [\n          ", "1, 2"),
    ]) func damagedRangesAreRefused(name: String, value: String) throws {
        try calibrate()
        try replace(name, by: value)
        #expect(bench.code { _ = try load() } == .malformedFile)
        #expect(try repository.verify("m", version: 1).faults.map(\.code) == [.malformedFile])
        #expect(try repository.load("m", version: 1).fallback == nil, "float32 does not need it")
        try calibrate()
        #expect(try repository.verify("m", version: 1).faults == [])
    }

    /// Ranges that are sound by themselves, but not of this model's layers; and none at all.
    @Test func rangesOfOthersAreRefused() throws {
        let measured = try calibrate()
        let manifest = try repository.manifest("m", version: 1)
        for widths in [[12], [12, 20, 3], [12, 21], [20, 12]] {
            let ranges = widths.map {
                var range = LayerRange(width: $0)
                range.fillEmpty(isPositive: true)
                return range
            }
            try repository.record(measured, ranges, manifest)
            #expect(bench.code { _ = try load() } == .malformedFile, "\(widths)")
        }
        var other = Draw(92)
        _ = try repository.publish(
            other.model([12, 20, 3], .relu, .softmax), as: "n", Publication(key: ""))
        try calibrate()
        let bytes = try Files.read(file, maxBytes: 1 << 20)
        try Files.writeDurably(directory.file("n/1/precisions.json"), bytes)
        #expect(
            bench.code {
                _ = try repository.load(
                    "n", version: 1, precision: .int8, reduced: .bytesModel)
            } == .checksumMismatch)
    }

    /// `MILLRACE_FUZZ_RUNS` sets how many files are tried; replayed from one seed.
    @Test func damagedFilesNeverTrap() throws {
        let rounds = Environment.number("MILLRACE_FUZZ_RUNS", or: 300)
        try calibrate()
        let whole = try Files.read(file, maxBytes: 1 << 20)
        let expected = try load().prepared.predict(features)
        var generator = SplitMix64(seed: 93)
        var refused = 0
        for _ in 0..<rounds {
            var damaged = whole
            for _ in 0...generator.next() % 3 { Damage.strike(&damaged, &generator) }
            let handle = try FileHandle(file, .readWrite)
            try handle.truncate(to: 0)
            try handle.write(damaged, at: 0)
            do throws(RepositoryError) {
                let loaded = try repository.load(
                    "m", version: 1, precision: .int8, reduced: .bytesModel)
                #expect(loaded.prepared.predict(features) == expected)
            } catch { refused += 1 }
        }
        #expect(refused > rounds / 2)
    }
}
