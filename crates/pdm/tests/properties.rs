//! What holds for every packet, and for every time.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/packets.rs"]
mod packets;

use packets::{Chain, MTU_1500, any_chain, canonical_chain, plain_chain};
use pdm::{Attos, Insertion, Layout, Limits, PdmOption, Psn, ScaledTime, Skip, ethernet, look, strip};
use proptest::prelude::*;

/// No limit that a test packet could meet.
const NO_LIMITS: Limits = Limits { mtu: u16::MAX, max_destopts_len: 2048 };

fn layout_of(frame: &[u8]) -> Result<Layout, Skip> {
    look(frame, frame.len(), ethernet::network_offset(frame)?).map(|look| look.layout)
}

/// The frame with `option` in its place.
fn inserted(frame: &[u8], option: &PdmOption, limits: &Limits) -> Result<Vec<u8>, Skip> {
    let place = Insertion::plan(frame, &layout_of(frame)?, limits)?;
    let mut grown = vec![0xee; place.growth()];
    grown.extend_from_slice(frame);
    place.apply(&mut grown, option);
    Ok(grown.split_off(place.shrinkage()))
}

/// The frame without its option; `None` if it has none.
fn stripped(frame: &[u8]) -> Option<Vec<u8>> {
    let layout = layout_of(frame).ok()?;
    layout.pdm(frame).ok()??;
    let mut frame = frame.to_vec();
    let front = strip(&mut frame, &layout);
    Some(frame.split_off(front))
}

fn option() -> impl Strategy<Value = PdmOption> {
    any::<[u8; 12]>().prop_map(|octets| PdmOption::parse(&octets))
}

/// Octets that changed are few and stand together: everything before and after is the same.
fn assert_same_around(long: &[u8], short: &[u8], chain: &Chain) {
    let ip = chain.ip_offset();
    let tail = chain.upper_and_trailer();
    assert!(long.ends_with(tail) && short.ends_with(tail));
    assert_eq!(long[..ip + 4], short[..ip + 4]);
    // Hop limit and addresses; between them and the frame's start only payload length and next header may change.
    assert_eq!(long[ip + 7..ip + 40], short[ip + 7..ip + 40]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_octets_are_looked_at_inserted_into_and_stripped_without_a_panic(
        frame in prop::collection::vec(any::<u8>(), 0..400),
        option in option(),
    ) {
        let _ = inserted(&frame, &option, &NO_LIMITS);
        let _ = stripped(&frame);
    }

    /// Wrong in a few places and cut somewhere: closer to a packet than noise is.
    #[test]
    fn damaged_packets_are_handled_without_a_panic(
        chain in any_chain(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        longer in 0..100_usize,
        option in option(),
    ) {
        let mut frame = chain.frame();
        for (place, value) in damage {
            let place = place.index(frame.len());
            frame[place] = value;
        }
        let captured = &frame[..cut.index(frame.len() + 1)];
        let _ = inserted(captured, &option, &NO_LIMITS);
        let _ = stripped(captured);
        // As much as a capture's snap length left of it.
        if let Ok(ip) = ethernet::network_offset(captured)
            && let Ok(look) = look(captured, frame.len() + longer, ip)
            && let Ok(place) = Insertion::plan(captured, &look.layout, &NO_LIMITS)
        {
            let mut grown = vec![0; place.growth()];
            grown.extend_from_slice(captured);
            place.apply(&mut grown, &option);
        }
    }

    #[test]
    fn inserted_then_stripped_is_the_original(
        chain in prop_oneof![plain_chain(), canonical_chain()],
        option in option(),
    ) {
        let frame = chain.frame();
        let marked = inserted(&frame, &option, &NO_LIMITS).unwrap();
        prop_assert_eq!(stripped(&marked).unwrap(), frame);
    }

    #[test]
    fn what_was_inserted_is_found_again_and_only_that_changed(chain in any_chain(), option in option()) {
        let frame = chain.frame();
        let marked = inserted(&frame, &option, &NO_LIMITS).unwrap();
        let ip = ethernet::network_offset(&marked).unwrap();
        let look = look(&marked, marked.len(), ip).unwrap();
        let at = look.layout.pdm(&marked).unwrap().unwrap();
        prop_assert_eq!(PdmOption::read(&marked, &at), option);
        prop_assert_eq!(look.protocol(), chain.protocol);
        assert_same_around(&marked, &frame, &chain);
        let bare = stripped(&marked).unwrap();
        assert_same_around(&bare, &frame, &chain);
        prop_assert_eq!(layout_of(&bare).unwrap().pdm(&bare), Ok(None));
    }

    #[test]
    fn padding_never_runs_over_seven_octets(chain in any_chain(), option in option()) {
        let marked = inserted(&chain.frame(), &option, &NO_LIMITS).unwrap();
        if let Some(run) = packets::longest_padding_of_last_options(&marked, &chain)
            && !chain.has_long_padding()
        {
            prop_assert!(run <= 7, "{run} octets");
        }
    }

    #[test]
    fn no_packet_grows_past_its_limits(chain in any_chain(), option in option(), mtu in 1280..1600_u16) {
        let frame = chain.frame();
        let limits = Limits { mtu, ..MTU_1500 };
        match inserted(&frame, &option, &limits) {
            Ok(marked) if marked.len() > frame.len() => {
                prop_assert!(marked.len() - chain.ip_offset() - chain.trailer_len() <= usize::from(mtu));
            }
            Ok(_) => {}
            Err(reason) => prop_assert!(matches!(reason, Skip::Oversize | Skip::OptionHeaderTooLong)),
        }
    }

    #[test]
    fn a_decoded_time_is_the_encoded_one_cut_to_16_bits(time in any::<u128>(), dropped in 0..128_u32) {
        let time = time >> dropped;
        let scaled = ScaledTime::encode(Attos::new(time));
        let bits = 128 - time.leading_zeros();
        let cut = bits.saturating_sub(16);
        prop_assert_eq!(scaled.decode(), Attos::new(time >> cut << cut));
        prop_assert_eq!(u32::from(scaled.scale), cut);
        prop_assert!(time - scaled.decode().get() < 1 << scaled.scale);
    }

    #[test]
    fn any_pair_decodes(mantissa: u16, scale: u8) {
        let exact = u128::from(mantissa).checked_mul(1_u128.checked_shl(scale.into()).unwrap_or(0));
        let fits = u32::from(scale) < 128 && exact.is_some();
        let expected = match exact {
            _ if mantissa == 0 => Attos::new(0),
            Some(exact) if fits => Attos::new(exact),
            _ => Attos::MAX,
        };
        prop_assert_eq!(ScaledTime { mantissa, scale }.decode(), expected);
    }

    #[test]
    fn an_option_survives_its_octets(octets: [u8; 12]) {
        let option = PdmOption::parse(&octets);
        prop_assert_eq!(&option.emit()[2..], &octets[2..]);
        prop_assert_eq!(PdmOption::parse(&option.emit()), option);
        prop_assert_eq!(option.psntp.next().step_from(option.psntp), 1);
        prop_assert_eq!(Psn::new(option.psntp.get()), option.psntp);
    }
}
