// swift-tools-version: 6.2

import PackageDescription

/// A package of its own, so that who depends on Millrace does not resolve the benchmark library.
///
/// From the top of the checkout: `swift package --package-path Benchmarks benchmark`, and
/// `swift run -c release --package-path Benchmarks log-record` for the record of the log.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func suite(_ name: String, also: [Target.Dependency] = []) -> Target {
    .executableTarget(
        name: name,
        dependencies: [
            "BenchmarkSupport",
            .product(name: "Benchmark", package: "benchmark"),
            .product(name: "Millrace", package: "millrace"),
        ] + also,
        path: "Benchmarks/\(name)", swiftSettings: settings,
        plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
}

let package = Package(
    name: "millrace-benchmarks",
    products: [
        .executable(name: "log-record", targets: ["LogRecord"]),
        .executable(name: "scan-memory", targets: ["ScanMemory"]),
        .executable(name: "inference-record", targets: ["InferenceRecord"]),
        .executable(name: "group-record", targets: ["GroupRecord"]),
        .executable(name: "training-record", targets: ["TrainingRecord"]),
        .executable(name: "model-record", targets: ["ModelRecord"]),
        .executable(name: "scoring-record", targets: ["ScoringRecord"]),
        .executable(name: "text-record", targets: ["TextRecord"]),
        .executable(name: "soak", targets: ["Soak"]),
        .executable(name: "growth-record", targets: ["GrowthRecord"]),
    ],
    dependencies: [
        .package(name: "millrace", path: ".."),
        // Statistics over samples, baselines and comparison. Without its traits it needs no
        // jemalloc.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        // What the log is compared with: bare system and library calls, and other stores.
        .target(name: "CBareMetal", linkerSettings: [.linkedLibrary("lz4")]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
        .target(
            name: "CPeers", dependencies: ["CLMDB", "CRocksDB"],
            linkerSettings: [.linkedLibrary("lmdb"), .linkedLibrary("rocksdb")]),

        .target(
            name: "BenchmarkSupport",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .target(
            name: "LogFigures",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "CPeers",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "LogRecord", dependencies: ["LogFigures"], swiftSettings: settings),
        .executableTarget(
            name: "ScanMemory",
            dependencies: ["LogFigures", .product(name: "Millrace", package: "millrace")],
            swiftSettings: settings),
        // Other engines, loaded while the program runs; see compare/inference.
        .target(name: "CInferencePeers"),
        .executableTarget(
            name: "InferenceRecord",
            dependencies: [
                "BenchmarkSupport", "CInferencePeers", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "GroupRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "TrainingRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "CInferencePeers", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "ModelRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "ScoringRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "CInferencePeers", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "TextRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "Soak",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "GrowthRecord",
            dependencies: [
                "BenchmarkSupport", "CBareMetal", "LogFigures",
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        suite("LogBenchmarks", also: ["LogFigures"]),
        suite("ComputeBenchmarks"),
    ],
    swiftLanguageModes: [.v6]
)
