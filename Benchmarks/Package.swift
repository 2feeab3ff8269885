// swift-tools-version: 6.2

import PackageDescription

/// A package of its own, so that who depends on Millrace does not resolve the benchmark library.
///
/// From the top of the checkout: `swift package --package-path Benchmarks benchmark`.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

func suite(_ name: String) -> Target {
    .executableTarget(
        name: name,
        dependencies: [
            "BenchmarkSupport",
            .product(name: "Benchmark", package: "benchmark"),
            .product(name: "Millrace", package: "millrace"),
        ],
        path: "Benchmarks/\(name)", swiftSettings: settings,
        plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
}

let package = Package(
    name: "millrace-benchmarks",
    dependencies: [
        .package(name: "millrace", path: ".."),
        // Statistics over samples, baselines and comparison. Without its traits it needs no jemalloc.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(
            name: "BenchmarkSupport",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "Millrace", package: "millrace"),
            ],
            swiftSettings: settings),
        suite("LogBenchmarks"),
        suite("ComputeBenchmarks"),
    ],
    swiftLanguageModes: [.v6]
)
