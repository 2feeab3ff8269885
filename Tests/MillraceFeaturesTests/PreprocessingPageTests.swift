import Foundation
import MillraceSystem
import MillraceTestSupport
import Testing

/// What the page on preprocessing shows.
@Suite struct PreprocessingPageTests {
    @Test func theExampleEncodes() throws {
        let lines = [
            #"{"price":0,"country":"FR"}"#, #"{"price":"x"}"#, #"{"country":"DE","price":1}"#,
            #"{"country":"FR"}"#,
        ]
        let rows = try encodeAll(lines.map { Array($0.utf8) })
        #expect(rows.count == 3)
        #expect(rows[0] == [0, 1, 0, 0, 0])
        #expect(rows[1] == [Float(log(2.0)), 0, 1, 0, 0])
        #expect(rows[2][0].isNaN && rows[2].dropFirst() == [1, 0, 0, 0])
    }

    @Test func thePageShowsWhatIsCompiledHere() throws {
        func text(_ name: String) throws -> String {
            let bytes = try Files.read(SharedData.root + "/" + name, maxBytes: 1 << 20)
            return String(decoding: bytes, as: UTF8.self)
        }
        let page = try text("Sources/Millrace/Millrace.docc/Preprocessing.md")
        let example = try #require(
            page.components(separatedBy: "```swift\n").last?.components(separatedBy: "```").first)
        let source = try text("Tests/MillraceFeaturesTests/PreprocessingExample.swift")
        #expect(source.hasSuffix(example), "not compiled:\n\(example)")
    }
}
