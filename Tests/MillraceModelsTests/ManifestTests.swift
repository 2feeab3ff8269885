import FoundationEssentials
import MillraceInput
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceRepository

/// The text of a manifest, of which the golden rows are read by hand.
@Suite struct ManifestTests {
    /// A published version's manifest and its text.
    private static func published() throws -> (manifest: Manifest, text: String) {
        let directory = try TemporaryDirectory()
        let repository = ModelRepository(path: directory.path)
        var draw = Draw(7)
        _ = try repository.publish(try draw.model([6, 3]), as: "m", Publication(key: "k"))
        let bytes = try Files.read(directory.file("m/1/manifest.json"), maxBytes: 1 << 20)
        return (try repository.manifest("m", version: 1), String(decoding: bytes, as: UTF8.self))
    }

    @Test func goldenRowsAreThoseThatWereWritten() throws {
        let rows = GoldenRows(
            rows: [
                [1, nil, -0.1, .leastNonzeroMagnitude],
                [.greatestFiniteMagnitude, 16_777_216, 0, nil],
            ],
            outputs: [[1e-300, .pi], [-.greatestFiniteMagnitude, 0.1]], tolerance: 1e-5)
        for formatting in [JSONEncoder.OutputFormatting.prettyPrinted, []] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = formatting
            let text = Array(try encoder.encode(rows))
            var cursor = JSONCursor()
            #expect(try GoldenRows(text.span, &cursor) == rows)
        }
    }

    @Test func aManifestCanBeEncodedAndDecoded() throws {
        let (manifest, _) = try Self.published()
        let text = try JSONEncoder().encode(manifest)
        #expect(try JSONDecoder().decode(Manifest.self, from: text) == manifest)
    }

    @Test func memberOrderAndOthersDoNotMatter() throws {
        let (manifest, text) = try Self.published()
        let more = text.replacing(
            "{", with: "{\"future\" : [{\"golden\" : 1}, \"\\\"golden\\\"\"],", maxReplacements: 1)
        #expect(try ManifestText(Array(more.utf8)).manifest() == manifest)
        let renamed = text.replacing("\"golden\" : {", with: "\"g\\u006flden\" : {\"x\" : [], ")
        #expect(try ManifestText(Array(renamed.utf8)).manifest() == manifest)
    }

    @Test(arguments: [
        ("\"rows\" : [", "\"rows\" : [[\"1\"], ", "a number"),
        ("\"rows\" : [", "\"rows\" : [[1e39], ", "a float32"),
        ("\"rows\" : [", "\"rows\" : 1, \"rest\" : [", "an array"),
        ("\"outputs\" : [", "\"outputs\" : [[null], ", "a number"),
        ("\"outputs\" : [", "\"outputs\" : [[1e999], ", "within the range of a double"),
        ("\"tolerance\" : ", "\"slack\" : ", "\"tolerance\" of golden rows"),
        ("\"golden\" : {", "\"golden\" : {}, \"golden\" : {", "golden rows once"),
    ]) func whatIsWrongIsSaid(old: String, new: String, expected: String) throws {
        let (_, text) = try Self.published()
        let place = try #require(text.firstRange(of: old))
        let damaged = text.replacing(old, with: new, maxReplacements: 1)
        let fault = try #require(throws: JSONFault.self) {
            try ManifestText(Array(damaged.utf8)).manifest()
        }
        #expect(fault.expected.contains(expected))
        let at = text.distance(from: text.startIndex, to: place.lowerBound)
        #expect(fault.position >= at, "byte \(fault.position), where the change is at \(at)")
    }
}
