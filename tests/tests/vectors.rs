//! Every vector through `pdmline replay`: the output byte for byte, and every counter, loss and metric.

use std::fs;

use anyhow::{Context, Result};
use pdm::{Attos, ScaledTime};
use pdmline_tests::vectors;

#[test]
fn every_vector_comes_out_as_it_says() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut wrong = Vec::new();
    for vector in vectors::all()? {
        let replayed = vector.replay(directory.path()).with_context(|| vector.name.clone())?;
        let differences = vector.differences(&replayed).with_context(|| vector.name.clone())?;
        println!("{}: {}", vector.name, if differences.is_empty() { "ok" } else { "WRONG" });
        wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", vector.name)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_vector_is_complete() -> Result<()> {
    for vector in vectors::all()? {
        assert!(vector.input().is_file(), "{} has no input", vector.name);
        assert!(vector.output().is_file(), "{} has no output", vector.name);
    }
    Ok(())
}

#[test]
fn every_scaled_time_comes_out_as_it_says() -> Result<()> {
    let table = fs::read_to_string(vectors::directory().join("scale.csv"))?;
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("attoseconds,delta_hex,scale"));
    let mut times = 0;
    for line in lines {
        let [attoseconds, delta, scale] = *line.split(',').collect::<Vec<_>>() else { panic!("{line}") };
        let expected = ScaledTime { mantissa: u16::from_str_radix(delta, 16)?, scale: scale.parse()? };
        assert_eq!(ScaledTime::encode(Attos::new(attoseconds.parse()?)), expected, "{line}");
        times += 1;
    }
    assert!(times > 50, "only {times} times");
    Ok(())
}
