import { COMMITMENT_POLICIES } from '../../src/ports.js';
import { describeReading, describeWriting } from './exchange.js';

const version = { major: 4, exactly: '4.0.7', policies: COMMITMENT_POLICIES } as const;
describeReading(version);
describeWriting(version);
