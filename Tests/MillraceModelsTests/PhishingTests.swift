import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// One pass over river's phishing set, row by row, with features scaled online; see
/// `Phishing/generate.py`.
@Suite struct PhishingTests {
    @Test func fraudsAreToldWhileTheyAreLearnt() throws {
        let path = SharedData.root + "/Tests/MillraceModelsTests/Phishing/phishing.csv"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
        let rows = text.split(separator: "\n").dropFirst().map {
            $0.split(separator: ",").compactMap { Float($0) }
        }
        #expect(rows.count == 1250 && rows.allSatisfy { $0.count == 10 })
        var options = TrainingOptions(.logistic, features: 9)
        options.mode = .sequential
        options.optimizer = .sgd(rate: 0.01)
        var trainer = try Trainer(options)
        for row in rows { try trainer.learn(Array(row.dropLast()), [row[9]]) }
        let counted = trainer.classification
        let found = try #require(counted)
        print("phishing: prequential accuracy \(found.accuracy)")
        #expect(found.rows == 1250 && found.accuracy >= 0.89)
    }
}
